// What a large embedding table takes to score with: `npm run bench:table -- [ROWS] [WORKERS] [--type F32|F16|I8] [--write BUNDLE]`,
// 25 million rows of 16 float32 numbers (1.6 GB) and four workers by default. The bundle is written by this script, not trained: a
// hashed feature of random numbers. With --write it is left in that folder, and nothing is scored.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Int64, type RecordBatch, Table, vectorFromArray } from 'apache-arrow';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { buildScoringGraph } from '../../lib/bundle/buildScoringGraph.ts';
import { tableDigests } from '../../lib/bundle/buildScoringModel.ts';
import type { EmbeddingTable } from '../../lib/bundle/embeddingTable.ts';
import type { StoredElement } from '../../lib/bundle/safetensors.ts';
import { ScoringSession } from '../../lib/bundle/scoringSession.ts';
import { encodeGoldenRows, writeBundle } from '../../lib/bundle/writeBundle.ts';
import { contractFingerprint, parseContract } from '../../lib/features/contract.ts';
import { FeatureEncoder } from '../../lib/features/featureEncoder.ts';
import type { FeatureLayout } from '../../lib/features/featureLayout.ts';
import { networkConfigSchema } from '../../lib/network/networkConfig.ts';
import { networkShape } from '../../lib/network/networkShape.ts';
import { narrowTable } from '../../lib/quantise/narrowTable.ts';

const WIDTH = 16;
/** Row key and feature at once: the shards of the cold starts (bench/lambda) have it, too. */
const COLUMN = 'impression_id';
const BLOCK_ROWS = 4096;
const SHARD_ROWS = 200_000;
const POLL_MILLIS = 20;
const MEGABYTE = 1e6;
/** A row's bytes in the file. */
const ROW_BYTES: Readonly<Record<StoredElement, number>> = { F32: 4 * WIDTH, F16: 2 * WIDTH, I8: WIDTH + 4 };

const main = fileURLToPath(new URL('../../dist/lib/cli/main.js', import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { type: { type: 'string', default: 'F32' }, write: { type: 'string' } },
});
const [rows = '25000000', workers = '4'] = positionals;
const rowCount = Number(rows);
const elementType = Object.keys(ROW_BYTES).find((each): each is StoredElement => each === values.type);
if (elementType === undefined) throw new Error(`expected F32, F16 or I8, found ${values.type}`);
if (values.write !== undefined) await write(values.write, elementType);
else await measure(elementType);

/** Writes in a process of its own, whose memory ends with it; then scores in another one, which is watched. */
async function measure(type: StoredElement): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'table-'));
  try {
    const [model, input] = [join(folder, 'model'), join(folder, 'input')];
    mkdirSync(input);
    // Hashes are spread over the table, whatever the ids.
    const ids = BigInt64Array.from({ length: SHARD_ROWS }, (_, row) => BigInt(row));
    const shard = parquetWriteBuffer({
      columnData: [{ name: COLUMN, data: ids, type: 'INT64' }],
      rowGroupSize: SHARD_ROWS / 8,
    });
    writeFileSync(join(input, 'shard.parquet'), new Uint8Array(shard));
    const written = await run([fileURLToPath(import.meta.url), rows, '--type', type, '--write', model]);
    const output = join(folder, 'scores');
    const score = ['score', '--model', model, '--input', input, '--output', output, '--workers', workers];
    const scored = await run([main, ...score]);
    const tableBytes = rowCount * ROW_BYTES[type];
    console.table({
      [`table, ${type}`]: { megabytes: Math.round(tableBytes / MEGABYTE) },
      written,
      [`scored, ${workers} workers`]: scored,
      'allowed: 1.15 tables + 500 MB': { megabytes: Math.round((1.15 * tableBytes) / MEGABYTE + 500) },
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs a process of Node to its end. Memory: the largest resident set, which the kernel keeps count of. */
async function run(args: readonly string[]): Promise<{ seconds: number; megabytes: number }> {
  const started = performance.now();
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  let peakKilobytes = 0;
  const timer = setInterval(() => {
    try {
      const [, peak = '0'] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? [];
      peakKilobytes = Math.max(peakKilobytes, Number(peak));
    } catch {
      // It has ended.
    }
  }, POLL_MILLIS);
  const code = await new Promise((resolve) => child.on('exit', resolve));
  clearInterval(timer);
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}`);
  return {
    seconds: Math.round((performance.now() - started) / 100) / 10,
    megabytes: Math.round((peakKilobytes * 1024) / MEGABYTE),
  };
}

async function write(uri: string, type: StoredElement): Promise<void> {
  const contract = parseContract({
    contractVersion: 1,
    rowKeys: [COLUMN],
    features: [
      { kind: 'categorical', column: COLUMN, table: { type: 'int', hash: { buckets: rowCount - 1 } } },
    ],
  });
  // Hashed ids need none.
  const vocabularies = new Map<string, Uint8Array>();
  const encoder = new FeatureEncoder(contract, vocabularies);
  const network = networkConfigSchema.parse({ kind: 'ncs', embeddingWidth: WIDTH, hidden: [64, 32] });
  const shape = networkShape(network, encoder.layout);
  const random = new RandomStream(1);
  const draw = (size: number) => Float32Array.from({ length: size }, () => random.nextNormal() / 4);
  const tables = [repeatedTable(encoder.layout.tables[0]!, draw(BLOCK_ROWS * WIDTH), type)];
  const parameters = new Map(
    shape.parameters.map(({ name, shape: dims }) => [name, draw(dims.reduce((a, b) => a * b, 1))]),
  );
  // Of the embeddings the graph knows their digests only.
  const weights = { embeddings: new Float32Array(), parameters };
  const graph = buildScoringGraph(shape, weights, undefined, tableDigests(tables));
  const { modelBytes, inputs, multiplyAddsPerRow } = graph;
  const model = { modelBytes, inputs, tables };
  const golden = goldenRows();
  const session = await ScoringSession.create(model, encoder.layout);
  encoder.encode(golden, 0, golden.numRows, session.rows, 0);
  const goldenBytes = encodeGoldenRows(golden, await session.score(golden.numRows));
  await session.release();
  const draft = {
    modelVersion: 'large-table',
    contractFingerprint: contractFingerprint(contract),
    inputs,
    multiplyAddsPerRow,
    network,
    labels: { click: 'click', conversion: 'conversion' },
    training: {
      ...{ data: 'none', trainRows: 0, validationRows: 0, trainSplit: 'none', validationSplit: 'none' },
      ...{ seed: 1, config: {}, metrics: {}, features: [], codeVersion: 'none', seconds: 0 },
      finishedAt: new Date().toISOString(),
    },
    contract,
  };
  await writeBundle(uri, draft, { model, vocabularies, goldenBytes });
}

/** One block of random numbers again and again: drawing each would take minutes. @param block float32 [BLOCK_ROWS, WIDTH] */
function repeatedTable(
  { name, rowStart, rowCount }: FeatureLayout['tables'][number],
  block: Float32Array,
  type: StoredElement,
): EmbeddingTable {
  const common = { name, rowStart, width: WIDTH };
  const drawn = { ...common, rowCount: BLOCK_ROWS, elementType: 'F32' as const, rows: block };
  const { rows, scales } = narrowTable(drawn, type);
  // Where it lies for scoring, so that it isn't copied.
  const repeat = <Numbers extends EmbeddingTable['rows']>(values: Numbers, size: number): Numbers => {
    const Type = values.constructor as new (buffer: SharedArrayBuffer) => Numbers;
    const all = new Type(new SharedArrayBuffer(size * values.BYTES_PER_ELEMENT));
    for (let at = 0; at < size; at += values.length) all.set(values.subarray(0, size - at), at);
    return all;
  };
  return {
    ...{ ...common, rowCount, elementType: type, rows: repeat(rows, rowCount * WIDTH) },
    ...(scales === undefined ? {} : { scales: repeat(scales, rowCount) }),
  };
}

function goldenRows(): RecordBatch {
  const ids = vectorFromArray(
    Array.from({ length: 8 }, (_, i) => BigInt(i * 1_000_003)),
    new Int64(),
  );
  return new Table({ [COLUMN]: ids }).batches[0]!;
}
