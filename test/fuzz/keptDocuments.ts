import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readArrivalState } from '../../lib/arrivals/arrivalState.ts';
import { sha256 } from '../../lib/base/digest.ts';
import { readChannel } from '../../lib/channels/channelDocument.ts';
import { judgePublication } from '../../lib/gates/judgePublication.ts';
import { DEFAULT_GATES } from '../../lib/job/gateSettings.ts';
import { readJob } from '../../lib/job/readJob.ts';
import type { ModelReference } from '../../lib/profile/modelReference.ts';
import { SCORE_BINS } from '../../lib/profile/scoreHistogram.ts';
import { readAudit } from '../../lib/publish/audit.ts';
import { readBlocked } from '../../lib/publish/blockedPartition.ts';
import { compareContent } from '../../lib/publish/comparePublications.ts';
import type { EarlierPublications } from '../../lib/publish/earlierPublications.ts';
import { candidateOf, judgedOf } from '../../lib/publish/judged.ts';
import { type Manifest, readManifest } from '../../lib/publish/manifest.ts';
import {
  below,
  blockedPath,
  fingerprintsPath,
  manifestPath,
  OUTPUT_FORMAT_VERSION,
  partPath,
  pointerPath,
  receiptPath,
} from '../../lib/publish/outputLayout.ts';
import { readPointer } from '../../lib/publish/pointer.ts';
import { type Receipt, readReceipt } from '../../lib/publish/receipt.ts';
import { readRunPlan, runsOfPlan } from '../../lib/publish/runPlan.ts';
import { rememberedShapes } from '../../lib/publish/shardShapes.ts';
import { shardUri } from '../../lib/publish/span.ts';
import { planOf } from '../publish/planOf.ts';
import type { FuzzDocument, Led } from './fuzzCase.ts';

const PARTITION = 'dt=2024-03-09';
const HEX = 'ab'.repeat(32);
const model = { version: 'v', sha256: HEX, contractFingerprint: `sha256:${HEX}` };

const publicationName = (partition: string) => ({ partition, sha256: HEX });
const EARLIER: EarlierPublications = {
  own: publicationName(PARTITION),
  previous: publicationName('dt=2024-03-08'),
  weekday: publicationName('dt=2024-03-02'),
  near: [publicationName('dt=2024-03-08'), publicationName('dt=2024-03-07')],
};
const VERDICT = {
  ...{ gate: 'rows', subject: '', verdict: 'block', found: 0.5, bound: 0.7 },
  ...{ against: 'dt=2024-03-08', reason: 'there are fewer rows' },
};
/** Ten rows in one bin of each score. */
const COUNTS = Array.from({ length: SCORE_BINS }, (_, bin) => (bin === 40 ? 10 : 0));
const LABELS = { rows: 10, positives: 4, score: 2 ** 25, rowCounts: COUNTS, positiveCounts: COUNTS, soft: 1 };
const PROFILE = {
  rows: 10,
  features: [
    { name: 'city', values: 10, missing: 1, unseen: 1, bins: [4, 3, 1] },
    { name: 'price', values: 10, missing: 0, unseen: 0, bins: [] },
  ],
  slices: [
    {
      name: 'city',
      slices: [6, 4].map((rows) => ({ rows, pctr: 2 ** 24, pcvr: 2 ** 23 })),
    },
  ],
  labels: { click: LABELS, conversion: LABELS },
};
const scoreReference = { mean: 0.5, counts: COUNTS, meanRatio: 1.2, psi: 0.01 };
const spread = { missing: 0.01, unseen: 0.01, psi: 0.01 };
const REFERENCE: ModelReference = {
  referenceVersion: 1,
  rows: 10,
  days: [],
  features: PROFILE.features.map(({ name, values, missing, unseen, bins }) => ({
    ...{ name, values, missing, unseen, spread },
    bins: { kind: 'ids', ends: bins.length === 0 ? [] : [2, 5] },
    counts: bins.length === 0 ? [10] : bins,
  })),
  scores: { pctr: scoreReference, pcvr: scoreReference, pctcvr: scoreReference },
  slices: [
    { name: 'city', ids: [1], values: ['x'], slices: [6, 4].map((rows) => ({ rows, pctr: 0.1, pcvr: 0.1 })) },
  ],
  rates: { click: 0.5, conversion: 0.5 },
  repeatedKeys: 0,
};

function ledByEarlier(root: string, { own, previous, weekday, near }: EarlierPublications): Led[] {
  return [own, previous, weekday, ...near].flatMap((name) =>
    name === undefined ? [] : [{ uri: below(root, manifestPath(name.partition, name.sha256)), within: root }],
  );
}

function ledByPart(root: string, { path, keys }: Pick<Receipt, 'path' | 'keys'>): Led[] {
  const paths = keys.fingerprints === null ? [path] : [path, keys.fingerprints.path];
  return paths.map((each) => ({ uri: below(root, each), within: root }));
}

/** By all gates but that which reads parts: against itself as the publication before, and as one of another date. */
async function judge(manifest: Manifest, file: string): Promise<void> {
  const calibration = { ...DEFAULT_GATES.calibration, action: 'block', leastLabels: 1 } as const;
  const gates = { ...DEFAULT_GATES, calibration };
  const own = judgedOf(manifest);
  const candidate = candidateOf(manifest, file);
  const content = await compareContent(
    { manifest, candidate },
    gates.repeatedContent,
    [EARLIER.near[0]!],
    async (_, compare) => compare(manifest, file),
  );
  if (manifest.parts.length === 0) return;
  judgePublication(
    {
      candidate,
      earlier: { own, previous: own, weekday: undefined },
      reference: REFERENCE,
      repeatedKeys: undefined,
      repeatedContent: {
        ...content,
        unpublished: [],
        files: [],
        inputKeys: [],
        besideRows: [],
        besideFiles: [],
      },
    },
    gates,
  );
}

/** Of all kinds that are kept as JSON; their files go to `folder`. */
export async function keptDocuments(folder: string): Promise<FuzzDocument[]> {
  const root = join(folder, 'root');
  const planned = planOf([10, 20, 30]);
  const gates = {
    ...DEFAULT_GATES,
    audit: { action: 'warn', command: ['check', '--all'], timeoutSeconds: 5 },
  };
  const plan = {
    ...planned,
    root,
    modelUri: join(folder, 'bundle'),
    gates: { ...gates, audit: { action: 'block', function: 'scores-audit:live', timeoutSeconds: 5 } },
    countLabels: true,
    partitions: planned.partitions.map((partition) => ({ ...partition, earlier: EARLIER })),
  };
  const part = { partId: HEX, rows: 10, spans: plan.partitions[0]!.parts[0]!.spans };
  const scores = { min: 0, max: 1, mean: 0.5, counts: COUNTS };
  const written = {
    ...part,
    path: partPath(PARTITION, HEX),
    sizeBytes: 100,
    sha256: HEX,
    statistics: { pctr: scores, pcvr: scores, pctcvr: scores },
    profile: PROFILE,
    worstSpans: PROFILE.features.map(({ name }) => ({
      name,
      missing: { span: 0, count: 3, of: 9 },
      unseen: null,
      shifted: [],
    })),
    keys: {
      types: [{ name: 'id', type: 'Int64' }],
      spans: ['0123456789abcdef'],
      keySpans: ['fedcba9876543210'],
      repeatedRows: 0,
      fingerprints: { path: fingerprintsPath(PARTITION, HEX), sizeBytes: 80 },
    },
    scoredRows: 9,
    deadLetters: {
      rows: 1,
      spanRows: [1],
      path: `dead-letters/${PARTITION}/${HEX}.parquet`,
      sizeBytes: 100,
      sha256: HEX,
      examples: [{ shard: 'a.parquet', rowGroup: 0, row: 3, column: 'id', reason: 'KEY_NULL' }],
    },
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
  const documents: FuzzDocument[] = [
    {
      name: 'plan',
      document: plan,
      file: planFile,
      take: async () => {
        const read = await readRunPlan(planFile);
        runsOfPlan(read);
        return read.partitions.flatMap(({ partition, inputUri, parts, earlier }) => [
          ...ledByEarlier(read.root, earlier),
          ...parts.flatMap(({ partId, spans }) => [
            { uri: below(read.root, partPath(partition, partId)), within: read.root },
            ...spans.map(({ shard }) => ({ uri: shardUri(inputUri, shard), within: inputUri })),
          ]),
        ]);
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
        rows: 18,
        deadLetteredRows: 2,
        parts: [written, { ...written, partId: 'cd'.repeat(32) }],
        broken: [{ shard: 'c.parquet', version: 'v', rows: null, code: 'SHARD_TRUNCATED', message: 'short' }],
      },
      take: async (bytes) => {
        const read = await readManifest(root, { manifest, sha256: sha256(bytes) });
        await judge(read, below(root, manifest));
        return read.parts.flatMap((each) => ledByPart(root, each));
      },
    },
    {
      name: 'receipt',
      file: receiptFile,
      document: { formatVersion, ...written, partition: PARTITION, model },
      take: async () => {
        const receipt = await readReceipt(HEX, 100, { root, partition: PARTITION });
        return receipt === undefined ? [] : ledByPart(root, receipt);
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
        ...{
          earlier: EARLIER,
          verdicts: [VERDICT, { ...VERDICT, found: null, bound: null }],
          override: null,
        },
      },
      take: async () => ledByEarlier(root, (await readAudit(root, publication.audit)).earlier),
    },
    {
      name: 'note of a blocked partition',
      file: below(root, blockedPath(PARTITION)),
      document: {
        ...{ formatVersion, partition: PARTITION, publication, generation: 2 },
        ...{ problems: ['too few rows'], isCleared: false },
      },
      take: async () => {
        const { blocked } = await readBlocked(root, PARTITION);
        const { manifest, audit } = blocked!.publication;
        return [manifest, audit].map((path) => ({ uri: below(root, path), within }));
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
        ...{ partitions: 'dt=%Y-%m-%d', timeZone: 'Europe/Berlin', shardPattern: '**/*.parquet' },
        ...{ completeness: { kind: 'quiet', minutes: 5 }, newest: { lookBackDays: 3 }, targetRows: 10 },
        ...{ gates, tolerated: { brokenShards: 1 } },
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
