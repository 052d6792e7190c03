import { describe, expect, it } from 'vitest';
import { DAY_MILLIS } from '../../lib/base/calendarDay.ts';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { DEFAULT_GATES } from '../../lib/job/gateSettings.ts';
import {
  type LaidOutPartition,
  layOutPartition,
  parsePartitionLayout,
} from '../../lib/job/partitionLayout.ts';
import { earlierPublications } from '../../lib/publish/earlierPublications.ts';
import { PartitionIndex } from '../../lib/publish/partitionIndex.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const LAYOUT = parsePartitionLayout('region=/dt=/hour=');
const laidOut = (partition: string) => layOutPartition(LAYOUT, partition) as LaidOutPartition;
const dayText = (day: number) =>
  new Date(Date.UTC(2024, 1, 20) + day * DAY_MILLIS).toISOString().slice(0, 10);

/** Of two regions and a month that has a leap day in it, each once at most. */
function somePartitions(random: RandomStream): LaidOutPartition[] {
  const names = Array.from({ length: 300 }, () => {
    const region = ['eu', 'us'][random.nextBelow(2)];
    return `region=${region}/dt=${dayText(random.nextBelow(20))}/hour=${random.nextBelow(24)}`;
  });
  return [...new Set(names)].map(laidOut);
}

const hoursOf = ({ day, hour }: LaidOutPartition) => (24 * Date.parse(day!)) / DAY_MILLIS + hour!;
const names = (found: readonly { readonly other: LaidOutPartition }[]) =>
  found.map(({ other }) => other.partition);

describe('an index of partitions finds what a look through all of them finds', () => {
  it.each([1, 2, 3])('around and beside each one (%i)', (seed) => {
    const all = somePartitions(new RandomStream(seed));
    const index = new PartitionIndex(all);
    for (const itself of all) {
      const sameKeys = all.filter(
        ({ day, hour, others }) =>
          day !== itself.day && hour === itself.hour && others[0] === itself.others[0],
      );
      const days = ({ day }: LaidOutPartition) => (Date.parse(day!) - Date.parse(itself.day!)) / DAY_MILLIS;
      const nearest = sameKeys.sort((a, b) => Math.abs(days(a)) - Math.abs(days(b)) || days(a) - days(b));
      expect(names(index.ofOtherDays(itself))).toEqual(nearest.map(({ partition }) => partition));

      const away = (other: LaidOutPartition) => hoursOf(other) - hoursOf(itself);
      const around = all
        .filter((other) => other !== itself && Math.abs(away(other)) <= 7)
        .sort(
          (a, b) =>
            Math.abs(away(a)) - Math.abs(away(b)) ||
            away(a) - away(b) ||
            (a.partition < b.partition ? -1 : 1),
        );
      expect(names(index.ofHoursAround(itself, 7))).toEqual(around.map(({ partition }) => partition));
    }
  });
});

it('a first load of two years of hours is compared in seconds, not in the quarter of an hour that a function has', async () => {
  const layout = parsePartitionLayout('dt=/hour=');
  const inputs = Array.from({ length: 2 * 365 * 24 }, (_, i) => {
    const partition = `dt=${dayText(Math.floor(i / 24))}/hour=${i % 24}`;
    return { partition, inputUri: `s3://b/${partition}` };
  });
  const start = performance.now();
  const found = await earlierPublications(folder, DEFAULT_GATES, layout, inputs, new Map());
  expect(performance.now() - start).toBeLessThan(20_000);
  expect(found.size).toBe(inputs.length);
}, 30_000);
