// What planning and publishing a partition of 100,000 shards take: `npm run bench:large-partition [-- SHARDS]`. Every step is a
// process of its own with Node's heap for a function of 512 MB, against an S3 double in this process that answers after 20 ms.
// Shards are one Parquet file under many names. Nothing is scored: true receipts are written beside parts that hold nothing.
import { PartitionInDouble } from './partitionInDouble.ts';
import type { StepReport, StepRequest } from './partitionStep.ts';
import { runStep } from './runStep.ts';

const ANSWER_MILLIS = 20;
/** The function's 300 s without its reserve, see functions/planPartition.ts. */
const LIMIT_MILLIS = 280_000;
/** What a repeated plan and a publication may take, and any process. */
const MOST_SECONDS = 60;
const MOST_MEGABYTES = 512;

const shardCount = Number(process.argv[2] ?? 100_000);
const partition = await PartitionInDouble.start(shardCount, ANSWER_MILLIS);
const table: object[] = [];
const misses: string[] = [];

async function step(name: string, kind: StepRequest['step'], isLimited: boolean): Promise<StepReport> {
  const request = { step: kind, run: partition.run, limitMillis: LIMIT_MILLIS };
  const report = await runStep(request, partition.endpoint);
  const { wallSeconds, cpuSeconds, peakMegabytes, planned, outcome } = report;
  table.push({
    step: name,
    seconds: wallSeconds.toFixed(1),
    'CPU-seconds': cpuSeconds.toFixed(1),
    'peak RSS, MB': Math.round(peakMegabytes),
    ...partition.takeCounts(),
    result: outcome ?? (planned === undefined ? 'time was up' : `${planned.unitCount} units`),
  });
  if (isLimited && wallSeconds > MOST_SECONDS) misses.push(`${name}: ${wallSeconds.toFixed(1)} s`);
  if (peakMegabytes > MOST_MEGABYTES) misses.push(`${name}: ${Math.round(peakMegabytes)} MB`);
  return report;
}

let planned: StepReport['planned'];
for (let call = 1; planned === undefined; call++) {
  ({ planned } = await step(`first plan, call ${call}`, 'plan', false));
}
await step('repeated plan', 'plan', true);
const parts = partition.pretendToScore(planned);
await step('plan, all parts done', 'plan', true);
await step('publication', 'publish', true);
await step('repeated publication', 'publish', true);
partition.addShards(shardCount, shardCount + 1);
await step('plan, one shard more', 'plan', true);
await partition.stop();

console.log(
  `${shardCount} shards of ${partition.shardBytes} bytes, ${parts} parts; every answer after ${ANSWER_MILLIS} ms; Node ${process.version}`,
);
console.table(table);
if (misses.length > 0) {
  console.error(`more than ${MOST_SECONDS} s or ${MOST_MEGABYTES} MB: ${misses.join('; ')}`);
  process.exitCode = 1;
}
