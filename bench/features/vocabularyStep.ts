// One step of vocabularies.ts in a process of its own, so that its peak memory is its own.
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Field, Int64, makeData, RecordBatch, Schema, Struct } from 'apache-arrow';
import { sha256 } from '../../lib/base/digest.ts';
import { piecesOf, readShared, sharedPart, writePieces } from '../../lib/bundle/bundleFiles.ts';
import { readBundleManifest } from '../../lib/bundle/bundleManifest.ts';
import { loadBundle } from '../../lib/bundle/loadBundle.ts';
import type { runCli } from '../../lib/cli/runCli.ts';
import { checkVocabulary } from '../../lib/features/checkVocabulary.ts';
import { parseContract } from '../../lib/features/contract.ts';
import { tableOf } from '../../lib/features/featureLayout.ts';
import { type FittedContract, fitContract } from '../../lib/features/fitContract.ts';
import { encodeIntVocabulary } from '../../lib/features/intVocabulary.ts';
import { places } from '../../lib/features/sortByKey.ts';
import { valuesOfIds, vocabulariesOf } from '../../lib/features/vocabulary.ts';
import { networkShape } from '../../lib/network/networkShape.ts';
import { encodeData } from '../../lib/recipe/encodeData.ts';
import { exportBundle } from '../../lib/recipe/exportBundle.ts';
import { fitFeatures } from '../../lib/recipe/fitFeatures.ts';
import { splitShards } from '../../lib/recipe/splitShards.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { initialWeights } from '../../lib/training/modelWeights.ts';
import { tinyConfig } from '../../test/fixtures/tinyModel.ts';

export interface StepRequest {
  readonly step: 'fit' | 'write bundle' | 'load vocabulary' | 'load bundle' | 'plan' | 'inspect' | 'score';
  /** Ids of the large vocabulary. */
  readonly entries: number;
  /** Of the data, the bundle and the scores. */
  readonly folder: string;
}

export interface StepReport {
  /** Of the step; starting Node and reading the code are left out. */
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  /** Of the whole process. */
  readonly peakMegabytes: number;
  readonly note: string;
}

const BATCH_ROWS = 65_536;

/** Id `i`, low and high half: all different, and far apart as hashes or times with counters are. */
function idHalves(halves: Int32Array, at: number, i: number): void {
  halves[at] = Math.imul(i, 0x9e3779b1);
  halves[at + 1] = Math.imul(i ^ 0x5bd1e995, 0x85ebca6b);
}

async function* batchesOfIds(entries: number): AsyncGenerator<RecordBatch> {
  const field = new Field('id', new Int64(), false);
  for (let start = 0; start < entries; start += BATCH_ROWS) {
    const length = Math.min(BATCH_ROWS, entries - start);
    const halves = new Int32Array(2 * length);
    for (let i = 0; i < length; i++) idHalves(halves, 2 * i, start + i);
    const ids = makeData({ type: new Int64(), length, nullCount: 0, data: new BigInt64Array(halves.buffer) });
    const struct = makeData({ type: new Struct([field]), length, nullCount: 0, children: [ids] });
    yield new RecordBatch(new Schema([field]), struct);
  }
}

/** Fits a contract with one vocabulary, and writes its file. */
async function fit({ entries, folder }: StepRequest): Promise<string> {
  const table = { type: 'int', vocabulary: { maxEntries: entries } };
  const features = [{ kind: 'categorical', column: 'id', table }];
  const contract = parseContract({ contractVersion: 1, rowKeys: ['id'], features });
  const { vocabularies } = await fitContract(contract, batchesOfIds(entries));
  const [bytes] = vocabularies.values();
  const { sizeBytes } = await writePieces(joinUri(folder, 'fitted.vocab'), piecesOf(bytes!));
  return `${sizeBytes} bytes`;
}

/** The user's vocabulary with many ids behind its own, under the path that the contract names. */
function enlarge({ contract, vocabularies }: FittedContract, entries: number): FittedContract {
  const feature = contract.features.find(({ column }) => column === 'user_id')!;
  if (feature.kind !== 'categorical') throw new Error('user_id is no categorical feature');
  const { type, vocabulary } = tableOf(contract, feature).definition;
  const fitted = vocabulary!.fitted!;
  const own = valuesOfIds(
    vocabularies.get(fitted.file)!,
    { type, entries: fitted.entries },
    Array.from({ length: fitted.entries }, (_, index) => index + 1),
  );
  const halves = new Int32Array(2 * entries);
  new BigInt64Array(halves.buffer).set(own.map(BigInt));
  for (let i = own.length; i < entries; i++) idHalves(halves, 2 * i, i);
  const bytes = encodeIntVocabulary(halves, places(entries));
  vocabulary!.fitted = { ...fitted, entries, sha256: sha256(bytes) };
  return { contract, vocabularies: new Map([...vocabularies, [fitted.file, bytes]]) };
}

/** Writes a bundle whose weights are as they are drawn: what it costs doesn't depend on them. */
async function writeBundleOf({ entries, folder }: StepRequest): Promise<string> {
  const config = tinyConfig();
  const split = await splitShards(joinUri(folder, 'data'), config.split);
  const data = await encodeData(config, split, enlarge(await fitFeatures(config, split), entries));
  const shape = networkShape(config.network, data.layout);
  const weights = initialWeights(shape, config.training, data.rates);
  const draft = { shape, weights, masks: undefined, metrics: {}, record: undefined, seconds: 0 };
  await exportBundle(joinUri(folder, 'bundle'), data, config, draft);
  return `${data.layout.embeddingRowCount} embedding rows`;
}

async function loadVocabulary({ folder }: StepRequest): Promise<string> {
  const uri = joinUri(folder, 'bundle');
  const { contract, files } = await readBundleManifest(localDisk, uri);
  const [path, expected] = [...vocabulariesOf(contract)].sort(([, a], [, b]) => b.entries - a.entries)[0]!;
  const problems: string[] = [];
  const memory = await readShared(localDisk, uri, path, files[path]!, problems);
  if (memory === undefined || problems.length > 0) throw new Error(problems.join());
  checkVocabulary(sharedPart(memory, 0, memory.byteLength), expected);
  return `${memory.byteLength} bytes, read, hashed and checked`;
}

/** As built: its worker threads aren't in the bundle of this file. */
async function cli(...args: readonly string[]): Promise<string> {
  const built = pathToFileURL(resolve('dist/lib/cli/runCli.js')).href;
  const { runCli: run } = (await import(built)) as { runCli: typeof runCli };
  const { write } = process.stdout;
  process.stdout.write = () => true;
  const exitCode = await run(args);
  process.stdout.write = write;
  if (exitCode !== 0) throw new Error(`${args[0]} ended with ${exitCode}`);
  return '';
}

const STEPS: Readonly<Record<StepRequest['step'], (request: StepRequest) => Promise<string>>> = {
  fit,
  'write bundle': writeBundleOf,
  'load vocabulary': loadVocabulary,
  'load bundle': async ({ folder }) => {
    const { vocabularies, model } = await loadBundle(localDisk, joinUri(folder, 'bundle'));
    const bytes = [...vocabularies.values()].reduce((sum, { length }) => sum + length, 0);
    const embeddings = model.tables.reduce((sum, { rows }) => sum + rows.byteLength, 0);
    return `${bytes} bytes of vocabularies, ${embeddings} of embeddings`;
  },
  plan: ({ folder }) => {
    const [model, input, scores] = ['bundle', 'data', 'scores'].map((name) => joinUri(folder, name));
    return cli('plan', '--model', model!, '--input', input!, '--scores', scores!);
  },
  inspect: ({ folder }) => cli('inspect', joinUri(folder, 'bundle')),
  score: ({ folder }) => {
    const [model, input, output] = ['bundle', 'data', 'output'].map((name) => joinUri(folder, name));
    return cli('score', '--model', model!, '--input', input!, '--output', output!, '--workers', '4');
  },
};

process.once('message', async (request: StepRequest) => {
  const startMillis = performance.now();
  const before = process.cpuUsage();
  const note = await STEPS[request.step](request);
  const { user, system } = process.cpuUsage(before);
  const report: StepReport = {
    wallSeconds: (performance.now() - startMillis) / 1000,
    cpuSeconds: (user + system) / 1e6,
    peakMegabytes: process.resourceUsage().maxRSS / 1024,
    note,
  };
  process.send!(report, () => process.exit());
});
