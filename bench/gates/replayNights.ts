// Nights of real days, clean and spoiled, by the built command on local disk: `npm run bench:nights`. Which gate stops which?
import { spawnSync } from 'node:child_process';
import {
  cpSync,
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
import { networkShape } from '../../lib/network/networkShape.ts';
import { encodeData } from '../../lib/recipe/encodeData.ts';
import { exportBundle } from '../../lib/recipe/exportBundle.ts';
import { fitFeatures } from '../../lib/recipe/fitFeatures.ts';
import { splitShards } from '../../lib/recipe/splitShards.ts';
import { parseTrainingConfig } from '../../lib/recipe/trainingConfig.ts';
import { initialWeights } from '../../lib/training/modelWeights.ts';
import { readShardTable, rowsOf, shardBytes, withColumn } from './spoilShard.ts';

const SHARED = join(process.cwd(), '../shared/data');
const DAYS = 'kuairand-pure';
/** Of a day, so that some of them can be missing or doubled. */
const SHARDS = 4;

const folder = mkdtempSync(join(tmpdir(), 'ncs4cvr-bench-'));
const table: object[] = [];
let failures = 0;

interface Outcome {
  readonly kind: string;
  readonly problems?: readonly string[];
}

function command(...args: string[]): { readonly status: number; readonly stdout: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/lib/cli/main.js', ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (status === null || (status !== 0 && stdout === '')) throw new Error(`${args.join(' ')}: ${stderr}`);
  return { status, stdout };
}

interface Night {
  readonly input: string;
  readonly scores: string;
  readonly model: string;
  readonly partition: string;
  /** Of the job document. */
  readonly gates?: object;
}

function night({ input, scores, model, partition, gates }: Night): Outcome {
  const [job, plan] = [join(folder, 'job.json'), join(folder, 'plan.json')];
  writeFileSync(job, JSON.stringify({ input, scores, model, ...(gates === undefined ? {} : { gates }) }));
  command('plan', '--job', job, '--partition', partition, '--output', plan);
  const { stdout } = command('run', '--plan', plan, '--json');
  return (JSON.parse(stdout) as { outcome: Outcome }[])[0]!.outcome;
}

/** A row of the table. @param expected whether it is to be published */
function note(
  model: string,
  name: string,
  { kind, problems = [] }: Outcome,
  expected: 'published' | 'refused',
) {
  if (kind !== expected) failures++;
  table.push({
    model,
    night: name,
    outcome: kind,
    ...(kind === expected ? {} : { EXPECTED: expected }),
    by: gatesIn(problems),
  });
  for (const problem of problems) console.log(`${model}, ${name}: ${problem}`);
}

function gatesIn(problems: readonly string[]): string {
  const gates = problems.map((problem) => /^PUBLISH_GATE_BLOCKED: (\w+)/.exec(problem)?.[1] ?? problem);
  return [...new Set(gates)].join(', ');
}

function train(name: string, data: string, config: object): string {
  const [file, output] = [join(folder, `${name}.json`), join(folder, name)];
  writeFileSync(file, JSON.stringify(config));
  console.log(command('train', file, '--data', data, '--output', output).stdout.trim());
  return output;
}

function writeDay(input: string, day: string, rows: Table): void {
  mkdirSync(join(input, day), { recursive: true });
  for (let shard = 0; shard < SHARDS; shard++) {
    const [start, end] = [shard, shard + 1].map((at) => Math.floor((at * rows.numRows) / SHARDS)) as [
      number,
      number,
    ];
    writeFileSync(join(input, day, `part-${shard}.parquet`), shardBytes(rowsOf(rows, start, end)));
  }
}

async function replayKuairand(): Promise<void> {
  const source = join(SHARED, DAYS);
  const days = readdirSync(source)
    .filter((name) => name.startsWith('dt='))
    .sort();
  const rowsOfDay = (day: string) => readShardTable(readFileSync(join(source, day, 'part-0.parquet')));
  const input = join(folder, 'days');
  for (const day of days) writeDay(input, day, rowsOfDay(day));
  const [before, last] = days.slice(-2) as [string, string];

  const example = JSON.parse(readFileSync('examples/kuairand.json', 'utf8')) as {
    labels: { click: string; conversion: string };
    split: object;
    training: object;
  };
  const first = (from: number, to: number) => ({ from: days[from]!.slice(3), to: days[to]!.slice(3) });
  const { report: _, ...split } = example.split as { report?: object };
  // One that has seen all but the last days, and one that has seen the first ones only and ages.
  const models = {
    late: train('late', input, { ...example, split }),
    early: train('early', input, {
      ...example,
      split: { by: 'date', train: first(0, 4), validation: first(5, 5) },
    }),
  };
  for (const [name, model] of Object.entries(models)) {
    const scores = join(folder, `scores-${name}`);
    const yesterday = join(folder, `yesterday-${name}`);
    for (const partition of days) {
      if (partition === last) cpSync(scores, yesterday, { recursive: true });
      note(name, `clean ${partition}`, night({ input, scores, model, partition }), 'published');
    }
    const rows = rowsOfDay(last);
    const spoiled = (
      title: string,
      write: (into: string) => void,
      options: Partial<Night> = {},
      expected: 'published' | 'refused' = 'refused',
    ) => {
      const [own, ownScores] = [mkdtempSync(join(folder, 'night-')), mkdtempSync(join(folder, 'scores-'))];
      cpSync(yesterday, ownScores, { recursive: true });
      write(own);
      note(
        name,
        title,
        night({ input: own, scores: ownScores, model, partition: last, ...options }),
        expected,
      );
    };
    const changed = (column: string, newValue: (value: unknown, row: number) => unknown) => (into: string) =>
      writeDay(into, last, withColumn(rows, column, newValue));
    spoiled(
      'a feature emptied',
      changed('author_id', () => null),
    );
    spoiled('six features emptied', (into) => {
      const emptied = ['author_id', 'tab', 'duration_ms', 'tags', 'user_active_degree', 'video_type'];
      writeDay(
        into,
        last,
        emptied.reduce((so, column) => withColumn(so, column, () => null), rows),
      );
    });
    spoiled(
      'ids of another id space',
      changed('video_id', (id) => (id as bigint) + 1_000_000_000n),
    );
    spoiled(
      'units changed ×1000',
      changed('duration_ms', (value) => (value === null ? null : 1000 * (value as number))),
    );
    spoiled('half of the shards missing', (into) => {
      writeDay(into, last, rows);
      for (const shard of [1, 3]) rmSync(join(into, last, `part-${shard}.parquet`));
    });
    spoiled("yesterday's file again", (into) => writeDay(into, last, rowsOfDay(before)));
    spoiled('no rows', (into) => writeDay(into, last, rowsOf(rows, 0, 0)));
    spoiled('a shard twice', (into) => {
      writeDay(into, last, rows);
      cpSync(join(into, last, 'part-1.parquet'), join(into, last, 'part-1-retry.parquet'));
    });
    spoiled('a clean night again', (into) => writeDay(into, last, rows), {}, 'published');
    if (name !== 'late') continue;

    // Models that are wrong, on a clean night.
    const clean = (into: string) => writeDay(into, last, rows);
    const inverted = join(folder, 'inverted-days');
    const { conversion } = example.labels;
    for (const day of days.slice(0, -1)) {
      const own = rowsOfDay(day);
      const click = own.getChild(example.labels.click)!;
      writeDay(
        inverted,
        day,
        withColumn(own, conversion, (value, row) => (click.get(row) ? 1 - Number(value) : value)),
      );
    }
    const wrong = train('inverted', inverted, { ...example, split });
    spoiled('conversions inverted, no labels', clean, { model: wrong }, 'published');
    spoiled('conversions inverted, with labels', clean, {
      model: wrong,
      gates: { calibration: { action: 'block' } },
    });
    const constant = await writeConstantModel(input, join(folder, 'constant'), { ...example, split });
    spoiled('a constant model', clean, { model: constant });
  }
}

/** A regression before its first step: weights of 0, and so the base rates for every row. */
async function writeConstantModel(dataUri: string, output: string, document: object): Promise<string> {
  const config = parseTrainingConfig(
    { ...document, network: { kind: 'logistic' }, masks: undefined },
    'constant',
  );
  const split = await splitShards(dataUri, config.split);
  const data = await encodeData(config, split, await fitFeatures(config, split));
  const shape = networkShape(config.network, data.layout);
  const weights = initialWeights(shape, config.training, data.rates);
  const draft = { shape, weights, masks: undefined, metrics: {}, record: undefined, seconds: 0 };
  await exportBundle(output, data, config, draft);
  return output;
}

function replaySmallNights(): void {
  const nights = join(SHARED, 'nights');
  const config = JSON.parse(readFileSync(join(nights, 'config.json'), 'utf8')) as object;
  const model = train('nights', join(nights, 'days'), config);
  const scores = join(folder, 'scores-nights');
  for (const partition of ['dt=2024-03-01', 'dt=2024-03-02', 'dt=2024-03-03']) {
    note(
      'nights',
      `clean ${partition}`,
      night({ input: join(nights, 'days'), scores, model, partition }),
      'published',
    );
  }
  for (const [name, expected] of [
    ['all-null', 'refused'],
    ['shrunk', 'refused'],
    ['duplicate-keys', 'refused'],
    ['days', 'published'],
  ] as const) {
    const own = mkdtempSync(join(folder, 'scores-'));
    cpSync(scores, own, { recursive: true });
    note(
      'nights',
      name,
      night({ input: join(nights, name), scores: own, model, partition: 'dt=2024-03-04' }),
      expected,
    );
  }
}

if (!existsSync(join(SHARED, DAYS))) throw new Error(`no real days in ${SHARED}`);
try {
  replaySmallNights();
  await replayKuairand();
  console.table(table);
  console.log(failures === 0 ? 'all as expected' : `${failures} nights NOT as expected`);
  process.exitCode = failures === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true });
}
