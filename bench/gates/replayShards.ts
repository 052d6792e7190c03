// Nights of real days, cut into shards in several ways, clean and with one shard spoiled: `npm run bench:shards`.
// Does the gate of the worst shard stop each of these, and let each of those pass?
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Table } from 'apache-arrow';
import { RandomStream } from '../../lib/base/randomStream.ts';
import type { PublishOutcome } from '../../lib/publish/publishPartition.ts';
import { readShardTable, rowsOf, shardBytes, takeRows, withColumn } from './spoilShard.ts';

const DAYS = join(process.cwd(), '../shared/data/kuairand-pure');
const SHARD_COUNTS = [2, 6, 10, 100];
const LAYOUTS = ['random', 'time_ms', 'video_id', 'user_id'] as const;
type Layout = (typeof LAYOUTS)[number];
/** Taken in turn, a day each. */
const FOREIGN = ['video_id', 'author_id', 'user_id', 'music_id'];
/** Shards of 131 rows say too little of their distributions: those of six and fewer are spoiled so. */
const MOST_SHIFTED_SHARDS = 6;
/** In other units, or a column in which all rows say the same; in turn. */
const UNITS = [
  ['duration_ms', 1_000],
  ['register_days', 0.01],
  ['history_len', 100],
  ['duration_ms', 0.01],
] as const;
const CONSTANTS = ['tab', 'server_width', 'upload_type', 'user_active_degree'];
const EMPTIED = ['author_id', 'duration_ms', 'tab', 'music_type', 'user_active_degree', 'hour'];

// Compiled: threads don't start from a bundle of modules.
const compiled = (file: string) => import(join(process.cwd(), 'dist/lib', file)) as Promise<unknown>;
const { loadBundle } = (await compiled(
  'bundle/loadBundle.js',
)) as typeof import('../../lib/bundle/loadBundle.ts');
const { parseJob } = (await compiled('job/jobDocument.js')) as typeof import('../../lib/job/jobDocument.ts');
const { executePlan } = (await compiled(
  'publish/executePlan.js',
)) as typeof import('../../lib/publish/executePlan.ts');
const { makeRunPlan } = (await compiled(
  'publish/makeRunPlan.js',
)) as typeof import('../../lib/publish/makeRunPlan.ts');
const { modelIdentity } = (await compiled(
  'publish/modelIdentity.js',
)) as typeof import('../../lib/publish/modelIdentity.ts');
const { runSettingsOf } = (await compiled(
  'publish/partitionRun.js',
)) as typeof import('../../lib/publish/partitionRun.ts');
const { localDisk } = (await compiled(
  'storage/localDisk.js',
)) as typeof import('../../lib/storage/localDisk.ts');

const folder = mkdtempSync(join(tmpdir(), 'ncs4cvr-bench-'));
const random = new RandomStream(1);
let failures = 0;

function train(name: string, config: object): string {
  const [file, output] = [join(folder, `${name}.json`), join(folder, name)];
  writeFileSync(file, JSON.stringify(config));
  const args = ['dist/lib/cli/main.js', 'train', file, '--data', DAYS, '--output', output];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return output;
}

/** Rows in the order in which shards hold them. */
function laidOut(rows: Table, layout: Layout): Table {
  const order = Array.from({ length: rows.numRows }, (_, row) => row);
  if (layout === 'random') {
    for (let at = order.length - 1; at > 0; at--) {
      const other = random.nextBelow(at + 1);
      [order[at], order[other]] = [order[other]!, order[at]!];
    }
  } else {
    const ids = rows.getChild(layout)!.toArray() as BigInt64Array;
    order.sort((a, b) => (ids[a]! < ids[b]! ? -1 : ids[a]! > ids[b]! ? 1 : a - b));
  }
  return takeRows(rows, order);
}

function shardsOf(rows: Table, count: number): Table[] {
  const endOf = (shard: number) => Math.floor((shard * rows.numRows) / count);
  return Array.from({ length: count }, (_, shard) => rowsOf(rows, endOf(shard), endOf(shard + 1)));
}

const foreign = (column: string) => (shard: Table) =>
  withColumn(shard, column, (id) => (id === null ? null : (id as bigint) + 1_000_000_000n));
const emptied = (column: string) => (shard: Table) => withColumn(shard, column, () => null);
const inUnits = (column: string, times: number) => (shard: Table) =>
  withColumn(shard, column, (value) => (value === null ? null : scaled(value as number | bigint, times)));
const constant = (column: string) => (shard: Table) => {
  const first: unknown = shard.getChild(column)!.get(0);
  return withColumn(shard, column, () => first);
};

function scaled(value: number | bigint, times: number): number | bigint {
  if (typeof value === 'number') return value * times;
  return BigInt(Math.round(Number(value) * times));
}

async function replay(name: string, model: string): Promise<void> {
  const bundle = await loadBundle(localDisk, model);
  const days = readdirSync(DAYS)
    .filter((entry) => entry.startsWith('dt='))
    .sort();
  for (const layout of LAYOUTS) {
    for (const shardCount of SHARD_COUNTS) {
      const base = mkdtempSync(join(folder, 'nights-'));
      const [input, scores] = [join(base, 'input'), join(base, 'scores')];
      const settings = runSettingsOf(parseJob({ input, scores, model }), {
        uri: model,
        model: modelIdentity(bundle),
      });
      const counts = { clean: 0, passed: 0, spoiled: 0, stopped: 0 };
      const night = async (partition: string, shards: readonly Table[]): Promise<PublishOutcome> => {
        const inputUri = join(input, partition);
        rmSync(inputUri, { recursive: true, force: true });
        mkdirSync(inputUri, { recursive: true });
        for (const [index, shard] of shards.entries()) {
          writeFileSync(join(inputUri, `part-${String(index).padStart(3, '0')}.parquet`), shardBytes(shard));
        }
        const { plan } = await makeRunPlan(settings, [{ partition, inputUri }]);
        const [executed] = await executePlan(plan, bundle, { workers: 1 });
        const { outcome } = executed!;
        if (outcome.kind === 'failed') throw outcome.error;
        return outcome;
      };
      for (const [day, partition] of days.entries()) {
        const rows = readShardTable(readFileSync(join(DAYS, partition, 'part-0.parquet')));
        const shards = shardsOf(laidOut(rows, layout), shardCount);
        const spoils: Record<string, (shard: Table) => Table> = {
          [`foreign ${FOREIGN[day % FOREIGN.length]}`]: foreign(FOREIGN[day % FOREIGN.length]!),
          [`emptied ${EMPTIED[day % EMPTIED.length]}`]: emptied(EMPTIED[day % EMPTIED.length]!),
        };
        const [column, times] = UNITS[day % UNITS.length]!;
        const shifts = {
          [`${column} x ${times}`]: inUnits(column, times),
          [`${CONSTANTS[day % CONSTANTS.length]} constant`]: constant(CONSTANTS[day % CONSTANTS.length]!),
        };
        if (shardCount <= MOST_SHIFTED_SHARDS) Object.assign(spoils, shifts);
        // Blocked, they leave nothing that the clean night is compared with.
        for (const [title, spoil] of Object.entries(spoils)) {
          const at = random.nextBelow(shardCount);
          const outcome = await night(
            partition,
            shards.map((shard, index) => (index === at ? spoil(shard) : shard)),
          );
          const by = outcome.kind === 'refused' ? outcome.problems : [];
          const isStopped = by.some((problem) => problem.startsWith('PUBLISH_GATE_BLOCKED: worstShard'));
          counts.spoiled++;
          if (isStopped) counts.stopped++;
          else report(`${name}, ${layout}, ${shardCount}, ${partition}, ${title}: ${outcome.kind}, ${by}`);
        }
        const outcome = await night(partition, shards);
        counts.clean++;
        if (outcome.kind === 'published') counts.passed++;
        else {
          const problems = outcome.kind === 'refused' ? outcome.problems : [];
          report(`${name}, ${layout}, ${shardCount}, ${partition}, clean: ${outcome.kind} ${problems}`);
        }
      }
      console.log(JSON.stringify({ model: name, layout, shards: shardCount, ...counts }));
      rmSync(base, { recursive: true });
    }
  }
}

function report(line: string): void {
  failures++;
  console.log(`NOT as expected: ${line}`);
}

if (!existsSync(DAYS)) throw new Error(`no real days in ${DAYS}`);
try {
  const days = readdirSync(DAYS).filter((entry) => entry.startsWith('dt='));
  const dates = days.map((day) => day.slice(3)).sort();
  const example = JSON.parse(readFileSync('examples/kuairand.json', 'utf8')) as { split: object };
  const { report: _, ...split } = example.split as { report?: object };
  const early = {
    by: 'date',
    train: { from: dates[0], to: dates[4] },
    validation: { from: dates[5], to: dates[5] },
  };
  // As in replayNights.ts: one that has seen all but the last days, and one that ages.
  await replay('late', train('late', { ...example, split }));
  await replay('early', train('early', { ...example, split: early }));
  console.log(failures === 0 ? 'all as expected' : `${failures} nights NOT as expected`);
  process.exitCode = failures === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true });
}
