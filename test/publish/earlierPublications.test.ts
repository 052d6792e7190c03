import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../lib/base/digest.ts';
import { encodeJson } from '../../lib/base/jsonDocument.ts';
import { DEFAULT_GATES } from '../../lib/job/gateSettings.ts';
import { parsePartitionLayout } from '../../lib/job/partitionLayout.ts';
import { earlierPublications } from '../../lib/publish/earlierPublications.ts';
import { OUTPUT_FORMAT_VERSION, pointerPath } from '../../lib/publish/outputLayout.ts';
import { readPointer } from '../../lib/publish/pointer.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
let count = 0;
const digestOf = (partition: string) => sha256(Buffer.from(partition));

/** A root where these partitions are published. */
function rootOf(partitions: readonly string[], released: readonly string[] = []): string {
  const root = join(folder, `root-${count++}`);
  for (const partition of partitions) {
    const model = { version: 'v', sha256: 'a', contractFingerprint: 'b' };
    const current = {
      manifest: `manifests/${partition}/m.json`,
      sha256: digestOf(partition),
      model,
      modelUri: 'model',
      rows: 1,
      audit: `audits/${partition}/a.json`,
      ...(released.includes(partition) ? { isReleased: true } : {}),
    };
    const counts = { generation: 1, modelSince: 1 };
    const pointer = {
      formatVersion: OUTPUT_FORMAT_VERSION,
      partition,
      ...counts,
      current,
      history: [],
      hold: null,
    };
    const file = join(root, pointerPath(partition));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, encodeJson(pointer));
  }
  return root;
}

async function earlierOf(
  layout: string,
  partition: string,
  published: readonly string[],
  released: readonly string[] = [],
) {
  const pointers = new Map([[partition, undefined]]);
  const inputs = [{ partition, inputUri: `input/${partition}` }];
  const parsed = parsePartitionLayout(layout);
  return (
    await earlierPublications(rootOf(published, released), DEFAULT_GATES, parsed, inputs, pointers)
  ).get(partition);
}
const named = (partition: string) => ({ partition, sha256: digestOf(partition) });

describe.each<[string, (day: number, other: string) => string]>([
  ['region=/dt=', (day, region) => `region=${region}/dt=2024-03-${String(day).padStart(2, '0')}`],
  ['dt=/region=', (day, region) => `dt=2024-03-${String(day).padStart(2, '0')}/region=${region}`],
  [
    'year=/month=/day=/hour=',
    (day, hour) => `year=2024/month=03/day=${String(day).padStart(2, '0')}/hour=${hour}`,
  ],
])('under the layout %s a partition is compared with', (layout, of) => {
  // Values of the other key: an hour has to be one.
  const [own, other] = ['07', '08'];

  it('the day before and the same weekday that have its other keys, and with no day after but for its content', async () => {
    const days = [1, 2, 6, 8, 10, 14, 16];
    const published = [
      ...days.map((day) => of(day, own)),
      ...days.map((day) => of(day, other)),
      of(9, other),
    ];
    expect(await earlierOf(layout, of(15, own), published)).toEqual({
      previous: named(of(14, own)),
      weekday: named(of(8, own)),
      near: [14, 16, 10, 8, 6, 2, 1].map((day) => named(of(day, own))),
      isPartOfDay: true,
      beside: { published: [named(of(14, other))], inputs: [] },
    });
  });

  it("nothing but the day before's content where only partitions of other keys are published", async () => {
    expect(await earlierOf(layout, of(15, own), [of(14, other), of(8, other)])).toEqual({
      near: [],
      isPartOfDay: true,
      beside: { published: [named(of(14, other))], inputs: [] },
    });
  });

  it('one publication where the day before that is there is the same weekday', async () => {
    const published = [of(8, own), of(14, other)];
    expect(await earlierOf(layout, of(15, own), published)).toEqual({
      previous: named(of(8, own)),
      near: [named(of(8, own))],
      isPartOfDay: true,
      beside: { published: [named(of(14, other))], inputs: [] },
    });
  });
});

it('what an operator has released is no yardstick, but its content may not come again', async () => {
  const published = ['07', '08', '13', '14'].map((day) => `dt=2024-03-${day}`);
  const released = ['dt=2024-03-14', 'dt=2024-03-08'];
  expect(await earlierOf('dt=%Y-%m-%d', 'dt=2024-03-15', published, released)).toEqual({
    previous: named('dt=2024-03-13'),
    near: ['14', '13', '08', '07'].map((day) => named(`dt=2024-03-${day}`)),
  });
});

it('days of the same run are compared by their input, where nothing of them is published: a week back, and not ahead', async () => {
  const dayOf = (day: number) => `dt=2024-03-${String(day).padStart(2, '0')}`;
  const inputs = [7, 8, 13, 14, 15, 16].map((day) => ({
    partition: dayOf(day),
    inputUri: `in/${dayOf(day)}`,
  }));
  const root = rootOf([dayOf(13)]);
  const pointers = new Map(
    await Promise.all(
      inputs.map(async ({ partition }) => [partition, (await readPointer(root, partition)).pointer] as const),
    ),
  );
  const layout = parsePartitionLayout('dt=%Y-%m-%d');
  const found = await earlierPublications(root, DEFAULT_GATES, layout, inputs, pointers);
  const daysOf = (day: number) => found.get(dayOf(day))!.unpublished;
  expect(daysOf(15)).toEqual([14, 8].map((day) => ({ partition: dayOf(day), inputUri: `in/${dayOf(day)}` })));
  expect(daysOf(7)).toBeUndefined();
  expect(found.get(dayOf(15))!.previous).toEqual(named(dayOf(13)));
});

it.each([
  ['day=D%Y%m%d', 'day=D20240310', true],
  ['dt=%Y-%m-%dT00', 'dt=2024-03-10T00', true],
  ['month=*/shop=%i', 'month=2024-03/shop=10', false],
  ['dt=', 'dt=2024-03-10', undefined],
  ['dt=/hour=', 'dt=2024-03-10/hour=06', undefined],
  ['none', 'all', undefined],
  ['dt=', 'elsewhere', undefined],
])(
  'the layout %s says of %s whether it is a whole day, where its name says something else',
  async (layout, partition, isWholeDay) => {
    const found = await earlierOf(layout, partition, []);
    expect(found?.isWholeDay).toBe(isWholeDay);
    expect('isWholeDay' in found!).toBe(isWholeDay !== undefined);
  },
);

it.each([
  ['dt=/hour=', 'dt=2024-03-10/hour=06', true],
  ['region=/dt=', 'region=eu/dt=2024-03-10', true],
  ['dt=', 'dt=2024-03-10', undefined],
  ['month=*/shop=%i', 'month=2024-03/shop=10', undefined],
  ['none', 'all', undefined],
])('the layout %s says of %s whether it is a part of a day', async (layout, partition, isPartOfDay) => {
  expect((await earlierOf(layout, partition, []))?.isPartOfDay).toBe(isPartOfDay);
});

it('hours around a partition and regions beside it are compared with it: published ones on both sides and of the day before, planned ones before it', async () => {
  const inputOf = (partition: string) => ({ partition, inputUri: `in/${partition}` });
  const besideOf = async (template: string, partition: string, there: string[], planned: string[]) => {
    const inputs = [partition, ...planned].map(inputOf);
    const pointers = new Map(inputs.map((input) => [input.partition, undefined]));
    const layout = parsePartitionLayout(template);
    const found = await earlierPublications(rootOf(there), DEFAULT_GATES, layout, inputs, pointers);
    return found.get(partition)!.beside;
  };
  const hour = (day: number, at: string) => `date=202403${day}/hour=${at}`;
  const hours = 'date=%Y%m%d/hour=%H';
  const there = [hour(14, '00'), hour(14, '01'), hour(14, '23'), hour(15, '03')];
  const planned = [hour(15, '00'), hour(15, '1'), hour(15, '02'), hour(14, '22')];
  expect(await besideOf(hours, hour(15, '01'), there, planned)).toEqual({
    published: [hour(14, '23'), hour(15, '03'), hour(14, '00')].map(named),
    inputs: [hour(15, '00'), hour(14, '22')].map(inputOf),
  });
  const region = (name: string, day: number) => `region=${name}/dt=2024-03-${day}`;
  const regions = 'region=/dt=%Y-%m-%d';
  const others = [region('us', 15), region('us', 14), region('eu', 14), region('us', 13)];
  expect(await besideOf(regions, region('eu', 15), others, [region('ap', 15)])).toEqual({
    published: [region('us', 15), region('us', 14)].map(named),
    inputs: [inputOf(region('ap', 15))],
  });
  const many = Array.from({ length: 24 }, (_, at) => hour(15, String(at).padStart(2, '0')));
  const found = await besideOf(hours, many[12]!, [], many.toSpliced(12, 1));
  expect(found).toEqual({ published: [], inputs: many.slice(5, 12).toReversed().map(inputOf) });
  expect(await besideOf('dt=%Y-%m-%d', 'dt=2024-03-15', ['dt=2024-03-14'], [])).toBeUndefined();
});
