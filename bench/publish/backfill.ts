// A backfill of 400 days, one of which has a broken shard, by the built command on local disk: `npm run bench:backfill`.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DAY_MILLIS } from '../../lib/base/calendarDay.ts';
import { funnelRows, funnelShard } from '../../test/fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../../test/fixtures/tinyModel.ts';

const DAYS = 400;
const ROWS = 1_000;
/** Place of the day with a broken shard. */
const BROKEN = 185;

const folder = mkdtempSync(join(tmpdir(), 'ncs4cvr-bench-'));
const [input, scores, plan] = [join(folder, 'input'), join(folder, 'scores'), join(folder, 'plan.json')];
const table: object[] = [];

const dayOf = (index: number) =>
  new Date(Date.UTC(2023, 0, 1) + index * DAY_MILLIS).toISOString().slice(0, 10);

function command(...args: string[]): { readonly status: number | null; readonly output: string } {
  const startMillis = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/lib/cli/main.js', ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  const seconds = ((performance.now() - startMillis) / 1000).toFixed(1);
  if (status === null || status > 1) throw new Error(stderr);
  table.push({ command: args[0], seconds, 'exit code': status });
  return { status, output: stdout };
}

interface Executed {
  readonly partition: string;
  readonly outcome: { readonly kind: string; readonly problems?: readonly string[] };
}

try {
  const { bundleUri } = await trainTinyModel(join(folder, 'model'));
  for (let index = 0; index < DAYS; index++) {
    const day = join(input, `dt=${dayOf(index)}`);
    mkdirSync(day, { recursive: true });
    writeFileSync(join(day, 'part-0.parquet'), funnelShard(funnelRows(dayOf(index), ROWS), ROWS));
  }
  writeFileSync(join(input, `dt=${dayOf(BROKEN)}`, 'part-1.parquet'), 'PAR1 and no footer');
  const range = ['--from', dayOf(0), '--to', dayOf(DAYS - 1)];
  command('plan', '--model', bundleUri, '--input', input, '--scores', scores, ...range, '--output', plan);
  const { status, output } = command('run', '--plan', plan, '--json');
  const executed = JSON.parse(output) as Executed[];
  const published = executed.filter(({ outcome }) => outcome.kind === 'published').length;
  const others = executed.filter(({ outcome }) => outcome.kind !== 'published');
  console.log(`${DAYS} days of ${ROWS} rows: ${published} published; Node ${process.version}`);
  for (const { partition, outcome } of others) {
    console.log(`${partition}: ${outcome.kind}, ${outcome.problems?.join('; ')}`);
  }
  console.table(table);
  const isRight =
    status === 1 && published === DAYS - 1 && others[0]?.outcome.problems?.[0]?.includes('part-1.parquet');
  if (isRight !== true) {
    console.error('expected exit code 1, all days but one published, and the broken shard named');
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
