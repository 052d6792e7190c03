import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { runCli } from '../../lib/cli/runCli.ts';
import { FunnelMetrics, type FunnelReport } from '../../lib/metrics/funnelMetrics.ts';
import { openShard } from '../../lib/parquet/openShard.ts';
import { readRecordBatches } from '../../lib/parquet/readRecordBatches.ts';
import { storageFor } from '../../lib/storage/openStorage.ts';

// The whole path on data made here: write shards, train, score the last day as production would, and compare the
// scores with the probabilities that drew the labels.
const OUTPUT = 'demo-output';
const DATA = `${OUTPUT}/data`;
const DAYS = ['2024-03-01', '2024-03-02', '2024-03-03', '2024-03-04', '2024-03-05', '2024-03-06'];
const CONFIG = `${DATA}/config.json`;
const SHOWN_ROWS = 5;

await rm(OUTPUT, { recursive: true, force: true });
console.log(`1. Writing ${DAYS.length} days of synthetic impressions: ncs4cvr synth`);
await run('synth', '--output', DATA, '--days', String(DAYS.length), '--first-date', DAYS[0]!);
const truth = await readTruth(`${DATA}/dt=${DAYS.at(-1)}/part-0.parquet`);

console.log('\n2. Training: ncs4cvr train');
await run('train', CONFIG, '--data', DATA, '--output', `${OUTPUT}/bundle`);

const lastDay = `dt=${DAYS.at(-1)}`;
console.log(`\n3. Scoring ${lastDay}: ncs4cvr score`);
const scores = `${OUTPUT}/scores/${lastDay}`;
await run('score', ...['--model', `${OUTPUT}/bundle`, '--input', `${DATA}/${lastDay}`, '--output', scores]);

const predictions = tableFromIPC(await readFile(`${scores}/part-0.arrow`));
const model = measure(column('pctr'), column('pcvr'));
const best = measure(Float32Array.from(truth.pctr), Float32Array.from(truth.pcvr));
console.log('\n4. AUC on the scored day, beside that of the true probabilities (the best possible)');
console.table({
  click: { model: auc(model.click), best: auc(best.click) },
  'conversion of clicked': { model: auc(model.conversion), best: auc(best.conversion) },
  'click and conversion': { model: auc(model.ctcvr), best: auc(best.ctcvr) },
});
console.log('5. The first scored rows, with the true probabilities');
console.table(
  Array.from({ length: SHOWN_ROWS }, (_, row) => ({
    impression_id: Number(predictions.getChild('impression_id')?.get(row)),
    pctr: probability(column('pctr')[row]),
    true_pctr: probability(truth.pctr[row]),
    pcvr: probability(column('pcvr')[row]),
    true_pcvr: probability(truth.pcvr[row]),
  })),
);
console.log('6. Files');
const entries = await readdir(OUTPUT, { recursive: true, withFileTypes: true });
const files = entries.filter((entry) => entry.isFile()).map((file) => join(file.parentPath, file.name));
for (const path of files.sort()) console.log(`   ${path}`);

/** Labels of a shard and the probabilities that only the generator knows. */
async function readTruth(uri: string) {
  const columns = { click: 'click', conversion: 'conversion', pctr: 'true_pctr', pcvr: 'true_pcvr' };
  const found = { click: [], conversion: [], pctr: [], pcvr: [] } as Record<keyof typeof columns, number[]>;
  const file = await storageFor(uri).open(uri);
  for await (const { batch } of readRecordBatches(await openShard(file), Object.values(columns))) {
    for (const [key, column] of Object.entries(columns)) {
      const values = batch.getChild(column)!.toArray() as ArrayLike<number>;
      for (const value of Array.from(values)) found[key as keyof typeof columns].push(value);
    }
  }
  await file.close();
  return found;
}

async function run(...args: readonly string[]): Promise<void> {
  const exitCode = await runCli(args);
  if (exitCode !== 0) process.exit(exitCode);
}

function column(name: string): Float32Array {
  return predictions.getChild(name)?.toArray() as Float32Array;
}

function measure(pctr: Float32Array, pcvr: Float32Array): FunnelReport {
  const metrics = new FunnelMetrics();
  metrics.add({
    pctr,
    pcvr,
    click: Uint8Array.from(truth.click),
    conversion: Float32Array.from(truth.conversion),
  });
  return metrics.compute();
}

function auc(metrics: { readonly auc: number | null }): string {
  return metrics.auc?.toFixed(4) ?? '-';
}

function probability(value: number | undefined): string {
  return value?.toFixed(4) ?? '-';
}
