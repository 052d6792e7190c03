import { expect, it } from 'vitest';
import { DEFAULT_GATES } from '../../lib/job/gateSettings.ts';
import { executePlan } from '../../lib/publish/executePlan.ts';
import { makeRunPlan } from '../../lib/publish/makeRunPlan.ts';
import type { PublishOutcome } from '../../lib/publish/publishPartition.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { bundle, LIMIT, partitionOf, put, TODAY, today, YESTERDAY, yesterday } from './gatedDays.ts';
import { freshPlace, settingsOf } from './partitionUnderTest.ts';

const folder = temporaryFolder();
const BETWEEN = ['2024-03-06', '2024-03-07'] as const;
const footerless = new TextEncoder().encode('PAR1 and nothing that a footer would be');

// A first load of several days: a day is compared with the rows of the one before, whose input is all that there is of it.
it(
  'are passed over as yardsticks where a shard is broken: today is blocked by the rows of the nearest whole day',
  async () => {
    const place = freshPlace(folder);
    const days = [...BETWEEN, YESTERDAY, TODAY];
    await put(place, BETWEEN[0], 'a.parquet', yesterday);
    // A third of the rows, and no row at all.
    await put(place, BETWEEN[1], 'a.parquet', today.slice(0, 500));
    for (const day of [BETWEEN[1], YESTERDAY])
      await writeWhole(joinUri(place.inputUri, partitionOf(day), 'b.parquet'), footerless);
    await put(place, TODAY, 'a.parquet', today.slice(0, 500));
    const inputs = days.map((day) => {
      return { partition: partitionOf(day), inputUri: joinUri(place.inputUri, partitionOf(day)) };
    });
    const settings = { ...settingsOf(place, bundle), targetRows: 600, gates: DEFAULT_GATES };
    const { plan } = await makeRunPlan(settings, inputs);
    const executed = await executePlan(plan, bundle, { workers: 2 });
    expect(executed.map(({ outcome }) => outcome.kind)).toEqual(['published', ...Array(3).fill('refused')]);
    const outcome = executed.at(-1)!.outcome as PublishOutcome;
    const verdicts = 'verdicts' in outcome ? outcome.verdicts : [];
    expect(verdicts.filter(({ gate }) => gate === 'rows')).toMatchObject([
      { verdict: 'block', against: partitionOf(BETWEEN[0]) },
    ]);
  },
  LIMIT,
);
