import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { executePlan } from '../../lib/publish/executePlan.ts';
import { makeRunPlan } from '../../lib/publish/makeRunPlan.ts';
import { modelIdentity } from '../../lib/publish/modelIdentity.ts';
import { type PartitionRun, PLAN_FORMAT_VERSION } from '../../lib/publish/partitionRun.ts';
import { resolvePartition } from '../../lib/publish/publishedState.ts';
import { publishPartition } from '../../lib/publish/publishPartition.ts';
import { scoreInput } from '../../lib/scoring/scoreInput.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { GATES_OFF, NOTHING_EARLIER } from '../fixtures/gatesOff.ts';
import { type FunnelRow, funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { scoreBits } from '../scoring/readScores.ts';
import { publishedBits } from './publishedBits.ts';

// One partition that is run, published and read, for the tests of the protocol.
export const PARTITION = 'dt=2024-03-09';
const TARGET_ROWS = 100;
/** 400 rows in row groups of 60: four spans. */
export const first = funnelRows('2024-03-09', 400);
export const second = funnelRows('2024-03-10', 150);
export const replacing = funnelRows('2024-03-11', 260);

let count = 0;
/** An input folder and an output root of their own, on disk or in S3. */
export function freshPlace(base: string) {
  const name = `case-${count++}`;
  return { inputUri: joinUri(base, name, 'input'), root: joinUri(base, name, 'scores') };
}
export type Place = ReturnType<typeof freshPlace>;

export const settingsOf = ({ root }: Place, bundle: ModelBundle) => ({
  modelUri: bundle.uri,
  model: modelIdentity(bundle),
  root,
  targetRows: TARGET_ROWS,
  toleratedBrokenShards: 0,
  gates: GATES_OFF,
  jobDigest: 'job',
  liftHold: false,
});

export const put = (place: Place, name: string, rows: readonly FunnelRow[]) =>
  writeWhole(joinUri(place.inputUri, name), funnelShard(rows, 60));
export async function run(
  place: Place,
  bundle: ModelBundle,
  {
    workers = 2,
    ...over
  }: { readonly workers?: number } & Partial<
    Pick<PartitionRun, 'liftHold' | 'toleratedBrokenShards' | 'gates' | 'badRows' | 'targetRows'>
  > = {},
) {
  const inputs = [{ partition: PARTITION, inputUri: place.inputUri }];
  const { plan } = await makeRunPlan({ ...settingsOf(place, bundle), ...over }, inputs);
  const [executed] = await executePlan(plan, bundle, { workers });
  const { outcome } = executed!;
  if (outcome.kind === 'failed') throw outcome.error;
  return { ...executed!, outcome, partsDoneBefore: plan.partitions[0]!.done.length };
}
/** A run of the partition as it would be asked for now, after everything that was published. */
export const runOf = (place: Place, bundle: ModelBundle, over: Partial<PartitionRun> = {}): PartitionRun => ({
  formatVersion: PLAN_FORMAT_VERSION,
  ...settingsOf(place, bundle),
  partition: PARTITION,
  inputUri: place.inputUri,
  basedOnGeneration: 1_000,
  earlier: NOTHING_EARLIER,
  ...over,
});
export const publish = (
  place: Place,
  bundle: ModelBundle,
  over: Partial<PartitionRun> = {},
  options?: Parameters<typeof publishPartition>[1],
) => publishPartition(runOf(place, bundle, over), options);

/** What a reader gets by following the pointer. */
export async function read({ root }: Place) {
  const { manifest, pointer } = await resolvePartition(root, PARTITION);
  const bits = await publishedBits(root, PARTITION);
  return { bits, model: manifest.model.version, rows: manifest.rows, generation: pointer.generation };
}

/** The same by `score` on local files, without the protocol. */
const expected = new Map<string, Map<bigint, string>>();
export async function expectedBits(
  bundle: ModelBundle,
  rows: readonly FunnelRow[],
): Promise<Map<bigint, string>> {
  const key = `${modelIdentity(bundle).sha256} ${rows[0]!.impression_id}`;
  const known = expected.get(key);
  if (known !== undefined) return known;
  const folder = mkdtempSync(join(tmpdir(), 'ncs4cvr-test-'));
  try {
    const input = join(folder, 'shard.parquet');
    writeFileSync(input, funnelShard(rows, 60));
    const output = join(folder, 'scores.arrow');
    await scoreInput(input, output, bundle, { workers: 1 });
    const bits = scoreBits(output);
    expected.set(key, bits);
    return bits;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
export async function expectRows(place: Place, bundle: ModelBundle, ...shards: (readonly FunnelRow[])[]) {
  const wanted = new Map<bigint, string>();
  for (const rows of shards) for (const [id, bits] of await expectedBits(bundle, rows)) wanted.set(id, bits);
  const found = await read(place);
  expect(found.model).toBe(bundle.manifest.modelVersion);
  expect(found.rows).toBe(wanted.size);
  expect(isDeepStrictEqual(found.bits, wanted), 'exactly these rows with these bits').toBe(true);
}
