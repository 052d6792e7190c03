import { rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DEFAULT_GATES, type GateSettings, gateSettingsSchema } from '../../lib/job/gateSettings.ts';
import { executePlan } from '../../lib/publish/executePlan.ts';
import { makeRunPlan } from '../../lib/publish/makeRunPlan.ts';
import { readPointer } from '../../lib/publish/pointer.ts';
import type { PublishOutcome } from '../../lib/publish/publishPartition.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { type FunnelRow, funnelRows } from '../fixtures/tinyFunnel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import {
  blocks,
  bundle,
  LIMIT,
  partitionOf,
  publishDay,
  published,
  publishToday,
  put,
  ROWS,
  TODAY,
  today,
  YESTERDAY,
  yesterday,
} from './gatedDays.ts';
import { freshPlace, type Place, settingsOf } from './partitionUnderTest.ts';

const folder = temporaryFolder();

// Nights as they go wrong, each published with the gates' defaults after a clean one.
const keyOf = ({ impression_id, request }: FunnelRow) => ({ impression_id, request });
const withPrice = (times: number) => (row: FunnelRow) => ({
  ...row,
  price: row.price === null ? null : row.price * times,
});

describe('the gates, with their defaults', () => {
  it(
    'let a clean night pass, without a warning',
    async () => {
      const { outcome } = await publishToday(today);
      expect(outcome.kind).toBe('published');
      const verdicts = 'verdicts' in outcome ? outcome.verdicts : [];
      expect(verdicts.length).toBeGreaterThan(30);
      expect(verdicts.filter(({ verdict }) => verdict === 'warn' || verdict === 'block')).toEqual([]);
    },
    LIMIT,
  );

  it.each<[string, (rows: readonly FunnelRow[]) => readonly FunnelRow[], readonly string[]]>([
    [
      'a night without any value in two features',
      (rows) => rows.map((row) => ({ ...row, age: null, device: null })),
      ['missingValues age', 'missingValues device'],
    ],
    [
      'ids of another space',
      (rows) => rows.map((row) => ({ ...row, item_id: row.item_id + 1_000_000n })),
      ['unseenValues item_id'],
    ],
    [
      'prices a thousand times too large',
      (rows) => rows.map(withPrice(1_000)),
      ['featureDistributions price', 'featureDistributions log_price'],
    ],
    ['half of the rows', (rows) => rows.slice(0, ROWS / 2), ['rows']],
    ['three times the rows', (rows) => [...rows, ...funnelRows('2024-05-01', 2 * ROWS)], ['rows']],
    ['no row', () => [], ['rows']],
    [
      'the same keys twice with other values',
      (rows) => [...rows.slice(0, 1_200), ...rows.slice(0, 100).map((row) => ({ ...row, hour: 3 }))],
      ['repeatedKeys'],
    ],
    ["yesterday's file", () => yesterday, ['repeatedContent rows']],
    [
      "yesterday's rows under other keys and in another order",
      (rows) => yesterday.toReversed().map((row, index) => ({ ...row, ...keyOf(rows[index]!) })),
      ['repeatedContent features'],
    ],
  ])(
    'block %s, and leave what is visible as it is',
    async (_, spoil, expected) => {
      const { place, outcome } = await publishToday(spoil(today));
      expect(outcome.kind).toBe('refused');
      expect(blocks(outcome)).toEqual(expect.arrayContaining([...expected]));
      const { pointer } = await readPointer(place.root, partitionOf(TODAY));
      expect(pointer).toBeUndefined();
      const { problems } = outcome as Extract<PublishOutcome, { kind: 'refused' }>;
      for (const problem of problems) {
        expect(problem).toMatch(/^PUBLISH_GATE_BLOCKED: \w+.*: .+ \(found .+, bound .+, against .+\)$/);
      }
    },
    LIMIT,
  );

  it.each<[string, (row: FunnelRow) => FunnelRow, string]>([
    ['no value in a feature', (row) => ({ ...row, age: null }), 'worstShard age'],
    ['ids of another space', (row) => ({ ...row, item_id: row.item_id + 1_000_000n }), 'worstShard item_id'],
  ])(
    'block a night of which one shard of twenty has %s, and name it; and let the same night pass without',
    async (_, spoil, expected) => {
      const place = await published();
      const shards = Array.from({ length: 20 }, (_, shard) => today.slice(shard * 75, (shard + 1) * 75));
      const nameOf = (shard: number) => `part-${String(shard).padStart(2, '0')}.parquet`;
      const spoilt = 7;
      for (const [shard, rows] of shards.entries()) {
        await put(place, TODAY, nameOf(shard), shard === spoilt ? rows.map(spoil) : rows);
      }
      const outcome = await publishDay(place, TODAY);
      expect(blocks(outcome)).toEqual([expected]);
      const { problems } = outcome as Extract<PublishOutcome, { kind: 'refused' }>;
      expect(problems).toEqual([expect.stringContaining(`100.0% of the 75 values in ${nameOf(spoilt)} `)]);
      await put(place, TODAY, nameOf(spoilt), shards[spoilt]!);
      expect((await publishDay(place, TODAY)).kind).toBe('published');
    },
    LIMIT,
  );

  it(
    "let yesterday's rows pass under other keys where a hundredth of them was made anew",
    async () => {
      const fewNew = today.map((row, index) => ({
        ...(index < 15 ? row : yesterday[index]!),
        ...keyOf(row),
      }));
      expect((await publishToday(fewNew)).outcome.kind).toBe('published');
    },
    LIMIT,
  );

  it(
    'are off, or warn, where the job says so',
    async () => {
      const settings = { rows: { action: 'warn' }, missingValues: { action: 'off' } };
      const place = await published();
      await put(
        place,
        TODAY,
        'a.parquet',
        today.slice(0, ROWS / 2).map((row) => ({ ...row, age: null })),
      );
      const outcome = await publishDay(place, TODAY, gateSettingsSchema.parse(settings));
      expect(outcome.kind).toBe('published');
      const verdicts = 'verdicts' in outcome ? outcome.verdicts : [];
      expect(verdicts.filter(({ verdict }) => verdict === 'warn')).toMatchObject([
        { gate: 'rows', against: partitionOf(YESTERDAY) },
      ]);
      expect(verdicts.filter(({ gate }) => gate === 'missingValues')).toEqual([]);
    },
    LIMIT,
  );
});

describe('days of one run of which nothing is published', () => {
  const days = [8, 9, 10].map((day) => `2024-03-${String(day).padStart(2, '0')}`) as [string, string, string];

  /** By day, whatever the order in which they are carried out. */
  async function firstLoad(place: Place, order: readonly number[], gates: GateSettings = DEFAULT_GATES) {
    const inputs = days.map((day) => {
      return { partition: partitionOf(day), inputUri: joinUri(place.inputUri, partitionOf(day)) };
    });
    const settings = { ...settingsOf(place, bundle), targetRows: 600, gates };
    const { plan } = await makeRunPlan(settings, inputs);
    const partitions = order.map((index) => plan.partitions[index]!);
    const executed = await executePlan({ ...plan, partitions }, bundle, { workers: 2 });
    return new Map(executed.map(({ partition, outcome }) => [partition, outcome as PublishOutcome]));
  }

  it.each<[string, (place: Place) => Promise<unknown>, readonly string[]]>([
    [
      'the file of the day before under another name',
      async (place) => put(place, days[1], 'b.parquet', yesterday),
      ['repeatedContent rows'],
    ],
    [
      'a tenth of the rows of the day before',
      async (place) => put(place, days[1], 'b.parquet', today.slice(0, ROWS / 10)),
      ['rows'],
    ],
  ])(
    'stop the one that has %s, in whichever order they are carried out',
    async (_, spoil, [expected]) => {
      for (const order of [
        [0, 1, 2],
        [2, 1, 0],
        [1, 2, 0],
      ]) {
        const place = freshPlace(folder);
        await put(place, days[0], 'a.parquet', yesterday);
        await spoil(place);
        const third = funnelRows(days[2], ROWS);
        await put(place, days[2], 'a.parquet', expected === 'rows' ? third.slice(0, ROWS / 10) : third);
        const outcomes = await firstLoad(place, order);
        const kinds = days.map((day) => outcomes.get(partitionOf(day))!.kind);
        expect(kinds).toEqual(['published', 'refused', 'published']);
        const { problems } = outcomes.get(partitionOf(days[1])) as Extract<
          PublishOutcome,
          { kind: 'refused' }
        >;
        expect(problems).toEqual([expect.stringContaining(`against ${partitionOf(days[0])}`)]);
      }
    },
    LIMIT,
  );

  const byKeys = (outcome: PublishOutcome) =>
    ('verdicts' in outcome ? outcome.verdicts : []).filter(({ subject }) => subject === 'inputKeys');
  /** Of yesterday, in another order, other files and another encoding. */
  async function rewritten(place: Place): Promise<void> {
    const other = yesterday.toReversed().map((row, index) => ({ ...row, hour: index % 24 }));
    await put(place, days[1], 'b.parquet', other.slice(0, 700));
    await put(place, days[1], 'c.parquet', other.slice(700));
  }

  it(
    'warn of the keys of the day before, written anew, in whichever order they are carried out, or block where the job says so',
    async () => {
      for (const order of [
        [0, 1, 2],
        [2, 1, 0],
      ]) {
        const place = freshPlace(folder);
        await put(place, days[0], 'a.parquet', yesterday);
        await rewritten(place);
        await put(place, days[2], 'a.parquet', funnelRows(days[2], ROWS));
        const outcomes = await firstLoad(place, order);
        const found = days.map((day) => byKeys(outcomes.get(partitionOf(day))!));
        expect(found).toEqual([
          [],
          [expect.objectContaining({ verdict: 'warn', found: ROWS, bound: 0 })],
          [],
        ]);
        expect(found[1]![0]).toMatchObject({
          gate: 'repeatedContent',
          against: partitionOf(days[0]),
          reason: `${ROWS} rows have the keys of all rows there, in other files, of b.parquet, c.parquet`,
        });
      }
      const place = freshPlace(folder);
      await put(place, days[0], 'a.parquet', yesterday);
      await rewritten(place);
      await put(place, days[2], 'a.parquet', funnelRows(days[2], ROWS));
      const outcomes = await firstLoad(
        place,
        [1, 0, 2],
        gateSettingsSchema.parse({ repeatedContent: { sameKeys: 'block' } }),
      );
      expect(days.map((day) => outcomes.get(partitionOf(day))!.kind)).toEqual([
        'published',
        'refused',
        'published',
      ]);
    },
    LIMIT,
  );

  it(
    'are not told from the day before by their number of rows, nor by all keys but one',
    async () => {
      const place = freshPlace(folder);
      await put(place, days[0], 'a.parquet', yesterday);
      await put(place, days[1], 'a.parquet', [...yesterday.slice(1), today[0]!].toReversed());
      await put(place, days[2], 'a.parquet', funnelRows(days[2], ROWS));
      const outcomes = await firstLoad(place, [0, 1, 2]);
      expect([...outcomes.values()].flatMap(byKeys)).toEqual([]);
    },
    LIMIT,
  );

  it(
    'are judged without a day whose input is gone, and the audit document says so',
    async () => {
      const place = freshPlace(folder);
      await put(place, days[0], 'a.parquet', yesterday);
      await put(place, days[1], 'a.parquet', today);
      await put(place, days[2], 'a.parquet', funnelRows(days[2], ROWS));
      const inputs = days.map((day) => {
        return { partition: partitionOf(day), inputUri: joinUri(place.inputUri, partitionOf(day)) };
      });
      const settings = { ...settingsOf(place, bundle), targetRows: 600, gates: DEFAULT_GATES };
      const { plan } = await makeRunPlan(settings, inputs);
      rmSync(joinUri(place.inputUri, partitionOf(days[0])), { recursive: true });
      const [, second] = await executePlan(plan, bundle, { workers: 2 });
      const outcome = second!.outcome as PublishOutcome;
      expect(outcome.kind).toBe('published');
      const verdicts = 'verdicts' in outcome ? outcome.verdicts : [];
      const left = verdicts.filter(
        ({ verdict, against }) => verdict === 'skipped' && against === partitionOf(days[0]),
      );
      expect(left.map(({ gate }) => gate).sort()).toEqual(['repeatedContent', 'rows']);
    },
    LIMIT,
  );
});

describe('what is being compared', () => {
  it(
    'is chosen when the run is planned: what another day publishes meanwhile changes no verdict',
    async () => {
      const place = await published();
      await put(place, TODAY, 'a.parquet', today);
      const partition = partitionOf(TODAY);
      const inputs = [{ partition, inputUri: joinUri(place.inputUri, partition) }];
      const settings = { ...settingsOf(place, bundle), targetRows: 600, gates: DEFAULT_GATES };
      const { plan } = await makeRunPlan(settings, inputs);
      const { pointer } = await readPointer(place.root, partitionOf(YESTERDAY));
      expect(plan.partitions[0]!.earlier).toEqual({
        previous: { partition: partitionOf(YESTERDAY), sha256: pointer!.current.sha256 },
        near: [{ partition: partitionOf(YESTERDAY), sha256: pointer!.current.sha256 }],
      });
      await put(place, YESTERDAY, 'b.parquet', funnelRows('2024-04-01', ROWS));
      const more = await publishDay(place, YESTERDAY);
      expect(more.kind).toBe('published');
      const [executed] = await executePlan(plan, bundle, { workers: 2 });
      expect(executed!.outcome).toMatchObject({ kind: 'published' });
    },
    LIMIT,
  );
});
