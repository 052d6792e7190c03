import { join } from 'node:path';
import { beforeAll, beforeEach } from 'vitest';
import type { PartitionRun } from '../../lib/publish/partitionRun.ts';
import { publicationStatus } from '../../lib/publish/publishedState.ts';
import type { WorkUnit } from '../../lib/publish/workUnit.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { currentJob, setJob } from '../support/functions/jobVariable.ts';
import { putFolder } from '../support/s3/putFolder.ts';
import type { S3Double } from '../support/s3/s3Double.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { type Definition, runStateMachine, type Services } from '../support/stepFunctions/runStateMachine.ts';
import { scoringRun, scoringRunServices } from '../support/stepFunctions/scoringRun.ts';

/** All partitions of a test. */
export const ALL = { kind: 'dates', from: '2024-03-01', to: '2024-03-31' };

const STATE_MACHINE_ARN = 'arn:aws:states:eu-central-1:123456789012:stateMachine:scoring';

/** To be called at the top of a test file: every test has folders of its own in the S3 double. */
export function scoringRunScene(): ScoringRunScene {
  const scene = new ScoringRunScene(testEndpoint(), temporaryFolder());
  beforeAll(async () => {
    const { bundleUri } = await trainTinyModel(join(scene.folder, 'model'));
    await putFolder(bundleUri, `s3://${scene.bucket}/model`);
  }, 60_000);
  beforeEach(() => scene.begin());
  return scene;
}

/** Runs of the deployed state machine, with the functions in this process, in which units fail as a test wants. */
class ScoringRunScene {
  readonly folder: string;
  readonly functions: Services['functions'];
  readonly services: Services;
  /** Names of partitions whose units fail, and how often each unit has been tried. */
  readonly broken = new Set<string>();
  readonly tries = new Map<string, number>();
  remainingMillis = () => 600_000;
  /** Partitions in the order in which their publication was tried, and what happens before each. */
  readonly publications: string[] = [];
  beforePublishing: (partition: string) => void = () => {};
  beforeScoring: () => void | Promise<void> = () => {};
  /** Key of the test's folder. */
  root = '';
  readonly #s3: ReturnType<typeof testEndpoint>;
  #cases = 0;
  /** Names are taken once, as in Step Functions. */
  #runs = 0;

  constructor(s3: ReturnType<typeof testEndpoint>, folder: string) {
    this.#s3 = s3;
    this.folder = folder;
    const { functions, readJson, writeJson } = scoringRunServices(() => this.remainingMillis());
    this.functions = functions;
    const score = async (payload: unknown) => {
      const { partition, parts } = payload as WorkUnit;
      const [part] = parts;
      const name = `${partition} ${'spans' in part! ? part.spans[0]!.firstRowGroup : part!.partId}`;
      this.tries.set(name, (this.tries.get(name) ?? 0) + 1);
      if (this.broken.has(partition))
        throw Object.assign(new Error('no memory left'), { name: 'Runtime.OutOfMemory' });
      await this.beforeScoring();
      return functions.score!(payload);
    };
    const publish = async (payload: unknown) => {
      const { partition } = payload as PartitionRun;
      this.publications.push(partition);
      this.beforePublishing(partition);
      return functions.publish!(payload);
    };
    this.services = { functions: { ...functions, score, publish }, readJson, writeJson };
  }

  begin(): void {
    this.root = `case-${this.#cases++}`;
    this.broken.clear();
    this.tries.clear();
    this.remainingMillis = () => 600_000;
    this.publications.length = 0;
    this.beforePublishing = () => {};
    this.beforeScoring = () => {};
    const base = `s3://${this.bucket}/${this.root}`;
    const model = `s3://${this.bucket}/model`;
    setJob({ input: `${base}/features`, scores: `${base}/scores`, model, targetRows: 20 });
  }

  get bucket(): string {
    return this.#s3.bucket;
  }

  get double(): S3Double {
    return this.#s3.double!;
  }

  /** A shard with row groups of 20 rows. */
  land(partition: string, rows: number, name = 'a.parquet'): void {
    const day = name === 'a.parquet' ? '2024-03-09' : '2024-03-10';
    this.put(`${partition}/${name}`, Buffer.from(funnelShard(funnelRows(day, rows), 20)));
  }

  /** @param name below the input */
  put(name: string, bytes: Buffer): void {
    this.#objects.put(`${this.root}/features/${name}`, bytes, {}, {});
  }

  /** @param name below the input */
  remove(name: string): void {
    this.#objects.objects.delete(`${this.root}/features/${name}`);
  }

  run(
    partitions: object,
    from: Definition = scoringRun,
    input: unknown = { partitions },
  ): ReturnType<typeof runStateMachine> {
    const name = `run-${this.#runs++}`;
    return runStateMachine(from, input, this.services, { name, stateMachineArn: STATE_MACHINE_ARN });
  }

  /** Partitions that are published, and their rows. */
  async published(): Promise<[string, number][]> {
    const pointers = await publicationStatus(currentJob().scores);
    return pointers.map(({ partition, current }) => [partition, current.rows]);
  }

  /** Names and causes of the partitions that the case's runs have failed on. */
  async failures(): Promise<(readonly [string, string])[]> {
    const isOfCase = (key: string) => key.startsWith(`${this.root}/`) && key.endsWith('/FAILED_0.json');
    const keys = this.runRecords().filter(isOfCase);
    const records = (
      await Promise.all(keys.map((key) => this.services.readJson(this.bucket, key)))
    ).flat() as { Input: string; Error: string; Cause: string }[];
    return records
      .filter(({ Input }) => JSON.parse(Input).item !== undefined)
      .map(({ Error: error, Cause }) => [error, Cause.replace(/^\w+: /, '')] as const);
  }

  /** Keys of what maps have written of their items, of all cases. */
  runRecords(): string[] {
    return this.#objects.keys('', '').filter((key) => /\/runs\/.*\/[A-Z]+_0\.json$/.test(key));
  }

  /** Key of the units that the case's run has planned. */
  unitsKey(): string {
    const keys = this.#objects.keys(`${this.root}/scores/plans/`, '');
    return keys.find((key) => key.endsWith('.units.json'))!;
  }

  /** Lets a partition's first receipt tell of a row more than there is. @returns puts it right */
  misstateReceipt(partition: string): () => void {
    const bucket = this.#objects;
    const [key] = bucket.keys(`${this.root}/scores/receipts/${partition}/`, '');
    const { bytes } = bucket.get(key!);
    const receipt = JSON.parse(bytes.toString()) as { rows: number };
    bucket.put(key!, Buffer.from(JSON.stringify({ ...receipt, rows: receipt.rows + 1 })), {}, {});
    return () => bucket.put(key!, bytes, {}, {});
  }

  get #objects() {
    return this.double.buckets.get(this.bucket)!;
  }
}
