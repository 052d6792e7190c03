// What a large embedding table takes to score with: `npm run bench:table -- [ROWS] [WORKERS]`, 25 million rows of 16 numbers
// (1.6 GB) and four workers by default. The bundle is written by this script, not trained: a hashed feature, ids drawn at random.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Int64, type RecordBatch, Table, vectorFromArray } from 'apache-arrow';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { buildScoringModel } from '../../lib/bundle/buildScoringModel.ts';
import { ScoringSession } from '../../lib/bundle/scoringSession.ts';
import { encodeGoldenRows, writeBundle } from '../../lib/bundle/writeBundle.ts';
import { contractFingerprint, parseContract } from '../../lib/features/contract.ts';
import { FeatureEncoder } from '../../lib/features/featureEncoder.ts';
import { networkConfigSchema } from '../../lib/network/networkConfig.ts';
import { networkShape } from '../../lib/network/networkShape.ts';

const WIDTH = 16;
const SHARD_ROWS = 200_000;
const POLL_MILLIS = 20;
const MEGABYTE = 1e6;

const main = fileURLToPath(new URL('../../dist/lib/cli/main.js', import.meta.url));
const [rows = '25000000', workers = '4', bundle] = process.argv.slice(2);
const rowCount = Number(rows);
if (bundle !== undefined) await write(bundle);
else await measure();

/** Writes in a process of its own, whose memory ends with it; then scores in another one, which is watched. */
async function measure(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'table-'));
  try {
    const [model, input] = [join(folder, 'model'), join(folder, 'input')];
    mkdirSync(input);
    const random = new RandomStream(2);
    const ids = BigInt64Array.from({ length: SHARD_ROWS }, () => BigInt(random.nextBelow(2 ** 31)));
    const shard = parquetWriteBuffer({
      columnData: [
        { name: 'row', data: BigInt64Array.from(ids.keys(), BigInt), type: 'INT64' },
        { name: 'id', data: ids, type: 'INT64' },
      ],
      rowGroupSize: SHARD_ROWS / 8,
    });
    writeFileSync(join(input, 'shard.parquet'), new Uint8Array(shard));
    const written = await run([fileURLToPath(import.meta.url), rows, workers, model]);
    const output = join(folder, 'scores');
    const scored = await run([
      main,
      'score',
      '--model',
      model,
      '--input',
      input,
      '--output',
      output,
      '--workers',
      workers,
    ]);
    const tableBytes = rowCount * WIDTH * 4;
    console.table({
      table: { megabytes: Math.round(tableBytes / MEGABYTE) },
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

async function write(uri: string): Promise<void> {
  const contract = parseContract({
    contractVersion: 1,
    rowKeys: ['row'],
    features: [
      { kind: 'categorical', column: 'id', table: { type: 'int', hash: { buckets: rowCount - 1 } } },
    ],
  });
  const encoder = new FeatureEncoder(contract, new Map());
  const network = networkConfigSchema.parse({ kind: 'ncs', embeddingWidth: WIDTH, hidden: [64, 32] });
  const shape = networkShape(network, encoder.layout);
  const random = new RandomStream(1);
  const draw = (size: number) => Float32Array.from({ length: size }, () => random.nextNormal() / 4);
  // One block of random numbers again and again: drawing each would take minutes.
  const block = draw(WIDTH * 4096);
  const embeddings = new Float32Array(rowCount * WIDTH);
  for (let at = 0; at < embeddings.length; at += block.length) {
    embeddings.set(block.subarray(0, embeddings.length - at), at);
  }
  const parameters = new Map(
    shape.parameters.map(({ name, shape: dims }) => [name, draw(dims.reduce((a, b) => a * b, 1))]),
  );
  const { model, multiplyAddsPerRow } = buildScoringModel(shape, { embeddings, parameters }, undefined);
  const golden = goldenRows();
  const session = await ScoringSession.create(model, encoder.layout);
  encoder.encode(golden, 0, golden.numRows, session.rows, 0);
  const goldenBytes = encodeGoldenRows(golden, await session.score(golden.numRows));
  await session.release();
  const draft = {
    modelVersion: 'large-table',
    contractFingerprint: contractFingerprint(contract),
    inputs: model.inputs,
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
  await writeBundle(uri, draft, { model, vocabularies: new Map(), goldenBytes });
}

function goldenRows(): RecordBatch {
  const ids = vectorFromArray(
    Array.from({ length: 8 }, (_, i) => BigInt(i * 1_000_003)),
    new Int64(),
  );
  return new Table({ id: ids }).batches[0]!;
}
