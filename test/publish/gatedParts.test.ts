import { describe, expect, it } from 'vitest';
import { DEFAULT_GATES, gateSettingsSchema } from '../../lib/job/gateSettings.ts';
import { parsePartitionLayout } from '../../lib/job/partitionLayout.ts';
import { executePlan } from '../../lib/publish/executePlan.ts';
import { makeRunPlan } from '../../lib/publish/makeRunPlan.ts';
import type { PublishOutcome } from '../../lib/publish/publishPartition.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { type FunnelRow, funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { bundle, LIMIT, ROWS, today, YESTERDAY, yesterday } from './gatedDays.ts';
import { freshPlace, settingsOf } from './partitionUnderTest.ts';

const folder = temporaryFolder();

// Hours and regions of days, published with the gates' defaults.
describe('hours and regions', () => {
  it.each<[string, string, readonly [string, string]]>([
    ['the hour before', 'dt=%Y-%m-%d/hour=%H', ['dt=2024-03-08/hour=23', 'dt=2024-03-09/hour=00']],
    ['another region', 'region=/dt=%Y-%m-%d', ['region=eu/dt=2024-03-09', 'region=us/dt=2024-03-09']],
  ])(
    'warn of the files of %s, in the same run and of one before, and not of files of their own',
    async (_, template, [first, second]) => {
      const layout = parsePartitionLayout(template);
      const gates = gateSettingsSchema.parse({ featureDistributions: { action: 'off' } });
      const warned = async (spoilt: readonly FunnelRow[], batches: readonly (readonly string[])[]) => {
        const place = freshPlace(folder);
        await writeWhole(joinUri(place.inputUri, first, 'a.parquet'), funnelShard(today, 400));
        await writeWhole(joinUri(place.inputUri, second, 'b.parquet'), funnelShard(spoilt, 400));
        const outcomes: PublishOutcome[] = [];
        for (const batch of batches) {
          const inputs = batch.map((partition) => ({
            partition,
            inputUri: joinUri(place.inputUri, partition),
          }));
          const settings = { ...settingsOf(place, bundle), targetRows: 600, gates };
          const { plan } = await makeRunPlan(settings, inputs, layout);
          const executed = await executePlan(plan, bundle, { workers: 2 });
          outcomes.push(...executed.map(({ outcome }) => outcome as PublishOutcome));
        }
        expect(outcomes.map(({ kind }) => kind)).toEqual(['published', 'published']);
        return outcomes
          .flatMap((outcome) => ('verdicts' in outcome ? outcome.verdicts : []))
          .filter(({ gate, verdict }) => gate === 'repeatedContent' && verdict === 'warn')
          .map(({ subject, found, against }) => ({ subject, found, against }));
      };
      const copy = { found: ROWS, against: first };
      expect(await warned(today, [[first, second]])).toEqual([{ subject: 'files', ...copy }]);
      expect(await warned(today, [[first], [second]])).toEqual([{ subject: 'rows', ...copy }]);
      expect(await warned(yesterday, [[first, second]])).toEqual([]);
    },
    LIMIT,
  );
});

describe('an hour of a day', () => {
  it(
    'warns of its hour in the first night, passes in the next, and is blocked where its rows are of another hour',
    async () => {
      const layout = parsePartitionLayout('dt=%Y-%m-%d/hour=%H');
      const place = freshPlace(folder);
      const publishHour = async (day: string, rows: readonly FunnelRow[], hour: number) => {
        const partition = `dt=${day}/hour=07`;
        const inputUri = joinUri(place.inputUri, partition);
        const shard = funnelShard(
          rows.map((row) => ({ ...row, hour })),
          400,
        );
        await writeWhole(joinUri(inputUri, 'a.parquet'), shard);
        const settings = { ...settingsOf(place, bundle), targetRows: 600, gates: DEFAULT_GATES };
        const { plan } = await makeRunPlan(settings, [{ partition, inputUri }], layout);
        const [executed] = await executePlan(plan, bundle, { workers: 2 });
        const outcome = executed!.outcome as PublishOutcome;
        const verdicts = 'verdicts' in outcome ? outcome.verdicts : [];
        const found = verdicts.filter(({ verdict }) => verdict === 'warn' || verdict === 'block');
        return {
          kind: outcome.kind,
          found: found.map(({ gate, subject }) => `${gate} ${subject}`),
          verdicts,
        };
      };
      const first = await publishHour(YESTERDAY, yesterday, 7);
      expect(first).toMatchObject({ kind: 'published', found: ['featureDistributions hour'] });
      const next = funnelRows('2024-03-10', ROWS);
      expect(await publishHour('2024-03-10', next, 8)).toMatchObject({
        kind: 'refused',
        found: expect.arrayContaining(['featureDistributions hour']),
      });
      expect(await publishHour('2024-03-10', next, 7)).toMatchObject({ kind: 'published', found: [] });
    },
    LIMIT,
  );
});
