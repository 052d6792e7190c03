import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readArrivalMessage } from '../../functions/arrivalMessages.ts';
import { parseEvent } from '../../functions/events.ts';
import { partitionStepSchema } from '../../functions/partitionStep.ts';
import { startRequestSchema } from '../../functions/startRequest.ts';
import { readArrivalState } from '../../lib/arrivals/arrivalState.ts';
import { sha256 } from '../../lib/base/digest.ts';
import { Ncs4cvrError } from '../../lib/base/errors.ts';
import { decodeJson } from '../../lib/base/jsonDocument.ts';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { readChannel } from '../../lib/channels/channelDocument.ts';
import { readJob } from '../../lib/job/jobDocument.ts';
import { readAudit } from '../../lib/publish/audit.ts';
import { readManifest } from '../../lib/publish/manifest.ts';
import {
  below,
  OUTPUT_FORMAT_VERSION,
  partPath,
  pointerPath,
  receiptPath,
} from '../../lib/publish/outputLayout.ts';
import { readPointer } from '../../lib/publish/pointer.ts';
import { readReceipt } from '../../lib/publish/receipt.ts';
import { readRunPlan, runsOfPlan } from '../../lib/publish/runPlan.ts';
import { rememberedShapes } from '../../lib/publish/shardShapes.ts';
import { shardUri } from '../../lib/publish/span.ts';
import { workUnitSchema, workUnits } from '../../lib/publish/workUnit.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { fileKey } from '../../lib/storage/uri.ts';
import { planOf } from '../publish/planOf.ts';
import type { FuzzTarget, Outcome } from './fuzzCase.ts';
import { mutateJson } from './mutateJson.ts';

/** Where something was found to lead that must stay below a folder. */
interface Led {
  readonly uri: string;
  readonly within: string;
}

interface Document {
  readonly name: string;
  readonly document: unknown;
  /** Where it is kept; undefined for an event, which has no file. */
  readonly file?: string;
  /** Takes the mutant in as the code that needs it does. @returns what the code would read or write by it */
  readonly take: (bytes: Uint8Array) => Promise<readonly Led[]>;
}

/** Plans, pointers, manifests and all else that is kept as JSON, and what functions are called with. */
export const documentTarget: FuzzTarget = {
  name: 'documents',
  prepare: async (folder, seed) => {
    const documents = [...(await keptDocuments(folder)), ...(await events())];
    return (index) => {
      const { name, document, file, take } = documents[index % documents.length]!;
      const { bytes, damage } = mutateJson(document, new RandomStream(seed + index));
      const run = async (): Promise<Outcome> => {
        try {
          if (file !== undefined) await writeWhole(file, bytes);
          const led = (await take(bytes)).find(({ uri, within }) => !isWithin(uri, within));
          if (led !== undefined)
            return { kind: 'failed', reason: `leads to ${led.uri}, out of ${led.within}` };
          return { kind: 'otherValues', where: 'a document that is as valid as the whole one' };
        } catch (error) {
          if (!(error instanceof Ncs4cvrError)) {
            return {
              kind: 'failed',
              reason: `without a code: ${error instanceof Error ? error.stack : error}`,
            };
          }
          if (file !== undefined && error.location.file !== file) {
            return { kind: 'failed', reason: `without the file: ${error.message.slice(0, 300)}` };
          }
          return { kind: 'refused', code: error.code };
        }
      };
      return { name: `${name}: ${damage}`, bytes, run };
    };
  },
};

function isWithin(uri: string, folder: string): boolean {
  if (uri.startsWith('s3://')) return uri.startsWith(`${folder}/`) && !uri.split('/').includes('..');
  return fileKey(uri).startsWith(`${fileKey(folder).replace(/\/$/, '')}/`);
}

const PARTITION = 'dt=2024-03-09';
const HEX = 'ab'.repeat(32);
const model = { version: 'v', sha256: HEX, contractFingerprint: `sha256:${HEX}` };

async function keptDocuments(folder: string): Promise<Document[]> {
  const root = join(folder, 'root');
  const plan = { ...planOf([10, 20, 30]), root, modelUri: join(folder, 'bundle') };
  const part = { partId: HEX, rows: 10, spans: plan.partitions[0]!.parts[0]!.spans };
  const scores = { min: 0, max: 1, mean: 0.5 };
  const written = {
    ...part,
    path: partPath(PARTITION, HEX),
    sizeBytes: 100,
    sha256: HEX,
    statistics: { pctr: scores, pcvr: scores, pctcvr: scores },
  };
  const formatVersion = OUTPUT_FORMAT_VERSION;
  const publication = {
    manifest: `manifests/${PARTITION}/${HEX}.json`,
    sha256: HEX,
    model,
    modelUri: plan.modelUri,
    rows: 10,
    audit: `audits/${PARTITION}/${HEX}.json`,
  };
  const within = root;
  const planFile = join(folder, 'plan.json');
  const receiptFile = below(root, receiptPath(PARTITION, HEX, 100));
  const manifest = `manifests/${PARTITION}/fuzzed.json`;
  const jobFile = join(folder, 'job.json');
  const documents: Document[] = [
    {
      name: 'plan',
      document: plan,
      file: planFile,
      take: async () => {
        const read = await readRunPlan(planFile);
        runsOfPlan(read);
        return read.partitions.flatMap(({ partition, inputUri, parts }) =>
          parts.flatMap(({ partId, spans }) => [
            { uri: below(read.root, partPath(partition, partId)), within: read.root },
            ...spans.map(({ shard }) => ({ uri: shardUri(inputUri, shard), within: inputUri })),
          ]),
        );
      },
    },
    {
      name: 'pointer',
      file: below(root, pointerPath(PARTITION)),
      document: {
        ...{ formatVersion, partition: PARTITION, generation: 2, modelSince: 1, current: publication },
        history: [publication],
        hold: null,
      },
      take: async () => {
        const { pointer } = await readPointer(root, PARTITION);
        const all = [pointer!.current, ...pointer!.history];
        return all.flatMap(({ manifest, audit }) =>
          [manifest, audit].map((path) => ({ uri: below(root, path), within })),
        );
      },
    },
    {
      name: 'manifest',
      file: below(root, manifest),
      document: {
        formatVersion,
        partition: PARTITION,
        runId: 'r',
        model,
        rows: 10,
        parts: [written],
        broken: [],
      },
      take: async (bytes) => {
        const { parts } = await readManifest(root, { manifest, sha256: sha256(bytes) });
        return parts.map(({ path }) => ({ uri: below(root, path), within }));
      },
    },
    {
      name: 'receipt',
      file: receiptFile,
      document: { formatVersion, ...written, partition: PARTITION, model },
      take: async () => {
        const receipt = await readReceipt(HEX, 100, { root, partition: PARTITION });
        return receipt === undefined ? [] : [{ uri: below(root, receipt.path), within }];
      },
    },
    {
      name: 'audit document',
      file: below(root, publication.audit),
      document: {
        ...{ formatVersion, partition: PARTITION, manifestSha256: HEX, inputUri: 'in', jobDigest: HEX },
        ...{
          codeVersion: '1',
          basedOnGeneration: 0,
          targetRows: 1,
          toleratedBrokenShards: 0,
          liftHold: false,
        },
      },
      take: async () => {
        await readAudit(root, publication.audit);
        return [];
      },
    },
    {
      name: 'shapes',
      file: below(root, `shapes/${PARTITION}.json`),
      document: { formatVersion, shards: { 'a.parquet': ['v', [1, 2]], 'b.parquet': ['w', []] } },
      take: async () => {
        await rememberedShapes(root, PARTITION);
        return [];
      },
    },
    {
      name: 'arrivals',
      file: below(root, `arrivals/${PARTITION}.json`),
      document: {
        ...{
          formatVersion: 1,
          partition: PARTITION,
          round: 1,
          waitSeconds: 1,
          isRunning: false,
          isPending: true,
        },
      },
      take: async () => {
        await readArrivalState({ root, partition: PARTITION });
        return [];
      },
    },
    {
      name: 'channel',
      file: join(folder, 'channels/live.json'),
      document: {
        ...{ formatVersion: 1, channel: 'live', generation: 1, isRolledBack: false, history: [] },
        current: { bundle: `bundles/${HEX}`, model, promotedAt: '2026-01-01T00:00:00Z' },
      },
      take: async () => {
        const { document } = await readChannel({ models: folder, channel: 'live' });
        return [{ uri: below(folder, document!.current.bundle), within: folder }];
      },
    },
    {
      name: 'job',
      file: jobFile,
      document: {
        ...{
          jobVersion: 1,
          input: 's3://b/in',
          scores: 's3://b/out',
          model: { models: 'm', channel: 'live' },
        },
        ...{ partitions: 'dt=YYYY-MM-DD', timeZone: 'Europe/Berlin', shardPattern: '**/*.parquet' },
        ...{ completeness: { kind: 'quiet', minutes: 5 }, newest: { lookBackDays: 3 }, targetRows: 10 },
      },
      take: async () => {
        await readJob(jobFile);
        return [];
      },
    },
  ];
  for (const { file } of documents) mkdirSync(dirname(file!), { recursive: true });
  return documents;
}

async function events(): Promise<Document[]> {
  const plan = planOf([10, 20]);
  const [run] = runsOfPlan(plan);
  const [unit] = await workUnits(run!, plan.partitions[0]!.parts);
  const decode = (bytes: Uint8Array) => decodeJson(bytes, { code: 'EVENT_INVALID' });
  const message = (document: unknown, name: string): Document => ({
    name,
    document,
    take: async (bytes) => {
      readArrivalMessage(new TextDecoder().decode(bytes));
      return [];
    },
  });
  const record = { s3: { bucket: { name: 'b' }, object: { key: 'in/dt%3D2024-03-09/a+b.parquet' } } };
  const arrival = { arrival: { partition: PARTITION, round: 1, waitSeconds: 5 } };
  const created = { source: 'aws.s3', 'detail-type': 'Object Created' };
  const ended = { source: 'aws.states', 'detail-type': 'Step Functions Execution Status Change' };
  return [
    message({ Records: [record, record] }, 'S3 notification'),
    message({ Type: 'Notification', Message: JSON.stringify({ Records: [record] }) }, 'SNS envelope'),
    message({ ...created, detail: { bucket: { name: 'b' }, object: { key: 'in/a' } } }, 'EventBridge event'),
    message({ ...ended, detail: { status: 'FAILED', input: JSON.stringify(arrival) } }, 'end of a run'),
    ...[
      {
        partitions: { kind: 'dates', from: '2024-03-01', to: '2024-03-02' },
        modelUri: 's3://m',
        liftHold: true,
      },
      { planUri: 's3://b/out/plans/x.json' },
      arrival,
    ].map((document) => ({
      name: 'start request',
      document,
      take: async (bytes: Uint8Array) => {
        parseEvent(startRequestSchema, decode(bytes));
        return [];
      },
    })),
    {
      name: 'partition step',
      document: {
        item: run,
        attempt: 0,
        mapConcurrency: 1,
        results: { bucket: 'b', prefix: 'p' },
        ...arrival,
      },
      take: async (bytes) => {
        const { item } = parseEvent(partitionStepSchema, decode(bytes));
        return [{ uri: below(item.root, pointerPath(item.partition)), within: item.root }];
      },
    },
    {
      name: 'work unit',
      document: unit,
      take: async (bytes) => {
        const { root, inputUri, partition, parts } = parseEvent(workUnitSchema, decode(bytes));
        return parts.flatMap((part) => [
          { uri: below(root, partPath(partition, part.partId)), within: root },
          ...('spansPath' in part ? [{ uri: below(root, part.spansPath), within: root }] : []),
          ...('spans' in part ? part.spans : []).map(({ shard }) => ({
            uri: shardUri(inputUri, shard),
            within: inputUri,
          })),
        ]);
      },
    },
  ];
}
