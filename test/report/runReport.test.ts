import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { UnreadableFiles } from '../../lib/base/unreadableFiles.ts';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { type Prices, readPrices } from '../../lib/estimate/readPrices.ts';
import { unitCost } from '../../lib/estimate/unitCost.ts';
import { manifestPath } from '../../lib/publish/outputLayout.ts';
import { readPointer } from '../../lib/publish/pointer.ts';
import { publicationStatus } from '../../lib/publish/publishedState.ts';
import { type PartitionRecord, readPartition } from '../../lib/report/readPartition.ts';
import { readPartitions, statesOfRoot } from '../../lib/report/readPartitions.ts';
import { partitionReport, runReport } from '../../lib/report/runReport.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { sectionOf, tableOf, tablesOf, textOf } from './readPage.ts';
import { DAYS, partitionOf, type ReportScene, ROWS, reportScene, trainReportedModel } from './reportScene.ts';

const folder = temporaryFolder();

let bundle: ModelBundle;
let scene: ReportScene;
let prices: Prices;
let records: readonly PartitionRecord[];

beforeAll(async () => {
  ({ bundle } = await trainReportedModel());
  scene = await reportScene(bundle);
  prices = await readPrices();
  records = await Promise.all(DAYS.map((day) => readPartition(scene.place.root, partitionOf(day))));
}, 120_000);

const pageOf = (day: number) => partitionReport(records[day]!, prices);

describe("a partition's report", () => {
  it('names files that can be read no more, says what it does without, and tells of the rest', async () => {
    const root = join(folder, 'damaged');
    cpSync(scene.place.root, root, { recursive: true });
    const name = partitionOf(DAYS[2]);
    const { judged, history, previous, runs } = await readPartition(root, name);
    expect([history.length, runs.length, previous === undefined]).toEqual([2, 1, false]);
    const damaged = [
      join(root, 'run-records', readdirSync(join(root, 'run-records'))[0]!),
      join(root, manifestPath(previous!.partition, judged!.audit.earlier.previous!.sha256)),
      join(root, (await readPointer(root, partitionOf(DAYS[0]))).pointer!.current.audit),
      join(root, 'pointers', `${partitionOf(DAYS[1])}.json`),
    ];
    for (const file of damaged) writeFileSync(file, '{"cut');
    const record = await readPartition(root, name);
    expect(record.unreadable.map((problem) => damaged.findIndex((file) => problem.includes(file)))).toEqual([
      0, 1, 3, 2,
    ]);
    expect(record.unreadable.map((problem) => problem.split(':')[0])).toEqual([
      'PUBLISH_DOCUMENT_INVALID',
      'PUBLISH_MANIFEST_DAMAGED',
      'PUBLISH_DOCUMENT_INVALID',
      'PUBLISH_DOCUMENT_INVALID',
    ]);
    const glance = textOf(sectionOf(partitionReport(record, prices), 'At a glance'));
    for (const file of damaged) expect(glance).toContain(file);
    expect(glance).toContain(`in ${record.judged!.manifest.parts.length} parts`);
    expect(textOf(sectionOf(pageOf(2), 'At a glance'))).not.toContain('could be read');
  });

  it('has the verdicts of earlier partitions of the same region, the latest first, however their folders are named', async () => {
    const root = join(folder, 'named');
    cpSync(scene.place.root, root, { recursive: true });
    const pointers = join(root, 'pointers');
    const shown = partitionOf(DAYS[2]);
    const earlier = readFileSync(join(pointers, `${partitionOf(DAYS[0])}.json`), 'utf8');
    for (const each of DAYS.slice(0, 2)) rmSync(join(pointers, `${partitionOf(each)}.json`));
    const names = ['year=2024/month=2/day=9', 'year=2024/month=2/day=10', 'region=de/dt=2024-02-28'];
    for (const name of [...names, 'year=2025/month=1/day=1']) {
      mkdirSync(join(pointers, name, '..'), { recursive: true });
      const document = { ...JSON.parse(earlier), partition: name };
      writeFileSync(join(pointers, `${name}.json`), JSON.stringify(document));
    }
    const { history } = await readPartition(root, shown);
    expect(history.map(({ partition }) => partition)).toEqual([names[1], names[0]]);
  });

  it('and the page of all partitions do without what is damaged, or gone and needed, and name it', async () => {
    const root = join(folder, 'damaged-all');
    cpSync(scene.place.root, root, { recursive: true });
    const pointers = await publicationStatus(root);
    const states = statesOfRoot(root, pointers, []);
    const whole = new UnreadableFiles();
    await readPartitions(root, states, whole);
    expect(whole.problems).toEqual([]);
    const [first, second] = pointers.map(({ current }) => current);
    const damaged = [join(root, first!.manifest), join(root, first!.audit), join(root, second!.audit)];
    for (const file of damaged.slice(0, 2)) writeFileSync(file, '{"cut');
    rmSync(damaged[2]!);
    const unreadable = new UnreadableFiles();
    const partitions = await readPartitions(root, states, unreadable);
    expect(partitions.map(({ visible }) => visible !== undefined)).toEqual(
      pointers.map((_, place) => place > 0),
    );
    const named = unreadable.problems.map((problem) => damaged.findIndex((file) => problem.includes(file)));
    expect(named.sort()).toEqual([0, 1, 2]);
  });

  it('says what is published: rows, parts, model, generation and how the gates have judged', () => {
    const glance = textOf(sectionOf(pageOf(0), 'At a glance'));
    expect(glance).toContain('published generation 1');
    expect(glance).toContain(
      `${ROWS.toLocaleString('en-US')} in ${records[0]!.judged!.manifest.parts.length} parts`,
    );
    expect(glance).toContain(bundle.manifest.modelVersion);
    const passed = records[0]!.judged!.audit.verdicts.filter(({ verdict }) => verdict === 'pass').length;
    expect(passed).toBeGreaterThan(5);
    expect(glance).toContain(`${passed} pass`);
  });

  it('has when every part was scored, from the record of the run, beside what was planned', () => {
    const section = sectionOf(pageOf(0), 'What ran when');
    const recorded = scene.runs[0].partitions[0]!;
    expect(recorded.steps.map(({ state }) => state)).toEqual(recorded.steps.map(() => 'scored'));
    expect(recorded.steps.length).toBeGreaterThan(2);
    const bars = tableOf(section, 'What ran when; pieces that ran at the same time stand below each other.');
    expect(bars.map(([name, state]) => [name, state])).toEqual([
      ...recorded.steps.map(({ partId }) => [`dt=2024-03-08, part ${partId.slice(0, 8)}`, 'scored']),
      ['dt=2024-03-08: published', 'judged and published'],
    ]);
    expect(tableOf(section, 'Planned and actual')).toEqual([
      ['rows to score', '1,500', '1,500'],
      ['parts to score', String(recorded.steps.length), String(recorded.steps.length)],
      ['time of the whole run (planned: by the state machine)', '1 min 30 s', expect.stringMatching(/ s$/)],
      ['cost of the whole run (planned: by the state machine)', '$0.25', 'this machine alone'],
    ]);
  });

  it('compares scores and features with the validation rows and the day before, and leaves no feature out', () => {
    const page = pageOf(2);
    const scores = tablesOf(sectionOf(page, 'Scores'))[0]!;
    expect(scores.map(([of]) => of)).toEqual([
      'dt=2024-03-10',
      'dt=2024-03-09',
      "the model's validation rows",
    ]);
    const features = tableOf(
      sectionOf(page, 'Features'),
      'Every feature here and among the validation rows, the one that moved most first',
    );
    const names = records[2]!.judged!.candidate.profile.features.map(({ name }) => name);
    expect(features.map(([name]) => name).toSorted()).toEqual(names.toSorted());
    const psis = features.map((row) => Number(row[5]));
    expect(psis).toEqual(psis.toSorted((a, b) => b - a));
  });

  it('names rows that were left out: dead letters with column and reason, and broken shards', () => {
    const section = sectionOf(pageOf(1), 'Rows left out');
    expect(tableOf(section, 'Dead letters, the first of each part')).toEqual([
      ['part-0.parquet', '0', '0', 'request', 'KEY_NULL'],
      ['part-0.parquet', '0', '1', 'request', 'KEY_NULL'],
    ]);
    expect(tableOf(section, 'Broken shards, of which no row is scored')).toEqual([
      ['part-1.parquet', '—', expect.stringMatching(/^SHARD_/), expect.stringContaining('part-1.parquet')],
    ]);
    const [letters] = records[1]!.judged!.manifest.parts.flatMap(({ deadLetters }) => deadLetters ?? []);
    expect(textOf(section)).toContain(letters!.path);
    expect(textOf(sectionOf(pageOf(0), 'Rows left out'))).toContain(
      'Every row of the shards that could be read is scored',
    );
  });

  it('is of what a gate blocks, as long as it does, with the numbers and the reason, and the nights before', () => {
    const page = pageOf(2);
    expect(textOf(sectionOf(page, 'At a glance'))).toContain('blocked by a gate never published');
    const gates = sectionOf(page, 'Gates');
    const blocks = tableOf(gates, 'Blocks and warnings').filter((row) => row[2] === 'block');
    expect(
      blocks.map(([gate, subject, , found, , against]) => [gate, subject, found, against]),
    ).toContainEqual(['repeatedContent', 'rows', String(ROWS), 'dt=2024-03-08']);
    const history = tableOf(
      gates,
      'The gravest verdict of each gate here and on the publications before, with the number behind it',
    );
    const repeated = history.find(([gate]) => gate === 'repeatedContent')!;
    expect(repeated).toHaveLength(4);
    expect(repeated[1]).toMatch(/^block/);
    expect(repeated.slice(2).every((cell) => !cell!.startsWith('block'))).toBe(true);
    const failures = tableOf(sectionOf(page, 'Failures and retries'), 'Failures and retries');
    expect(failures.map(([, what, became]) => [what, became])).toContainEqual(['dt=2024-03-10', 'blocked']);
  });

  it('does without what is gone: a bundle that was moved, runs whose records have expired', () => {
    const page = partitionReport({ ...records[0]!, reference: undefined, runs: [] }, prices);
    expect(textOf(sectionOf(page, 'What ran when'))).toContain('No run of this partition is recorded here');
    const features = textOf(sectionOf(page, 'Features'));
    expect(features).toContain('nothing to compare with');
    // Nor does it say that anything was compared.
    expect(features).not.toMatch(/moved|the line reaches|among the validation rows/);
    expect(tablesOf(sectionOf(page, 'Scores'))[0]!.map(([of]) => of)).not.toContain(
      "the model's validation rows",
    );
  });

  it('shows units of the state machine with their time, and what that has cost at most', () => {
    const unit = (name: string, from: number, to: number, isFailed: boolean) => ({
      ...{
        name,
        rows: 1000,
        partIds: [],
        isFailed,
        problem: isFailed ? 'States.Timeout: it took too long' : null,
        usage: null,
      },
      ...{ startMillis: from, endMillis: to },
    });
    const units = [unit('a', 1_000_000, 1_060_000, false), unit('b', 1_000_000, 1_030_000, true)];
    const page = partitionReport({ ...records[0]!, runs: [], units }, prices);
    const text = textOf(sectionOf(page, 'What ran when'));
    expect(text).toContain('took 1 min 0 s 2 units of the state machine');
    const dollars = 90 * (prices.memoryMegabytes / 1024) * prices.dollarsPerGigabyteSecond;
    expect(text).toContain(`$${dollars < 0.01 ? dollars.toPrecision(2) : dollars.toFixed(2)}`);
    expect(
      tableOf(sectionOf(page, 'Failures and retries'), 'Failures and retries').map((row) => row[3]),
    ).toEqual(['States.Timeout: it took too long']);
    const usage = { gigabyteSeconds: 1000, calls: 3 };
    const counted = partitionReport(
      { ...records[0]!, runs: [], units: [{ ...units[0]!, usage }, units[1]!] },
      prices,
    );
    const told = textOf(sectionOf(counted, 'What ran when'));
    const { dollars: cost } = unitCost([usage], prices);
    expect(told).toContain(`$${cost.toFixed(2)} 1,000 GB-s in 3 calls of 1 of 2 units`);
    expect(told).toContain('failed calls, S3 requests');
  });
});

describe("a run's report", () => {
  it('has what became of every partition, each with its own gates, scores and features', () => {
    const page = runReport(scene.runs[0], records.slice(0, 2));
    const rows = tableOf(sectionOf(page, 'Partitions'), 'What became of every partition');
    expect(rows.map(([partition, outcome, , visible]) => [partition, outcome, visible])).toEqual([
      ['dt=2024-03-08', 'published', '1,500'],
      ['dt=2024-03-09', 'published', '1,498'],
    ]);
    for (const day of [DAYS[0], DAYS[1]]) {
      const section = sectionOf(page, partitionOf(day));
      expect([...section.matchAll(/<summary>(.*?)<\/summary>/g)].map(([, title]) => title)).toEqual(
        expect.arrayContaining(['Gates', 'Scores', 'Features', 'Rows left out', 'Parts']),
      );
    }
  });

  it('of a single partition has its sections unfolded', () => {
    const page = runReport(scene.runs[1], [records[2]!]);
    expect(tableOf(sectionOf(page, 'Gates'), 'Blocks and warnings').length).toBeGreaterThan(0);
    expect(page).toContain('<h1>Run of dt=2024-03-10</h1>');
  });
});
