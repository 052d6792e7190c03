import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { addProfiles, emptyProfile } from '../../lib/profile/addProfiles.ts';
import type { PartProfile } from '../../lib/profile/partProfile.ts';
import { executePlan } from '../../lib/publish/executePlan.ts';
import { makeRunPlan } from '../../lib/publish/makeRunPlan.ts';
import { resolvePartition } from '../../lib/publish/publishedState.ts';
import type { FunnelRow } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { first, freshPlace, PARTITION, put, second, settingsOf } from './partitionUnderTest.ts';

const folder = temporaryFolder();

let bundle: ModelBundle;
beforeAll(async () => {
  ({ bundle } = await trainTinyModel(join(folder, 'model'), { config: { slices: ['device'] } }));
}, 60_000);

/** The sum of the profiles in the manifest of what was published, and how many parts it has. */
async function published(
  shards: Readonly<Record<string, readonly FunnelRow[]>>,
  { targetRows = 100, workers = 1, countLabels = true } = {},
): Promise<{ profile: PartProfile; partCount: number }> {
  const place = freshPlace(folder);
  for (const [name, rows] of Object.entries(shards)) await put(place, name, rows);
  const settings = { ...settingsOf(place, bundle), targetRows, countLabels };
  const { plan } = await makeRunPlan(settings, [{ partition: PARTITION, inputUri: place.inputUri }]);
  const [executed] = await executePlan(plan, bundle, { workers });
  expect(executed!.outcome).toMatchObject({ kind: 'published' });
  const { parts } = (await resolvePartition(place.root, PARTITION)).manifest;
  for (const { rows, profile } of parts) expect(profile.rows).toBe(rows);
  const profile = parts
    .map((part) => part.profile)
    .reduce(addProfiles, emptyProfile(bundle.layout, bundle.reference));
  return { profile, partCount: parts.length };
}

it('the profile of a partition follows from its rows: not from its parts, its shards or the threads', async () => {
  const { profile, partCount } = await published({ 'a.parquet': first, 'b.parquet': second });
  expect(partCount).toBeGreaterThan(3);
  const { click, conversion } = profile.labels!;
  const rows = [...first, ...second];
  expect(click).toMatchObject({ rows: 550, positives: rows.filter((row) => row.click === 1).length });
  expect(conversion).toMatchObject({
    rows: click.positives,
    positives: rows.filter((row) => row.conversion === 1).length,
  });
  const whole = await published(
    { 'a.parquet': first, 'b.parquet': second },
    { targetRows: 10_000, workers: 3 },
  );
  expect(whole.partCount).toBeLessThan(partCount);
  expect(whole.profile).toEqual(profile);
  const pieces = {
    '1.parquet': second.slice(0, 1),
    '2.parquet': first,
    '3.parquet': second.slice(1, 60),
    '4.parquet': second.slice(60),
  };
  expect((await published(pieces, { workers: 2 })).profile).toEqual(profile);
});

it('labels of a partition are counted only when the run asks for them', async () => {
  const { profile } = await published({ 'a.parquet': second }, { countLabels: false });
  expect(profile).toMatchObject({ rows: 150 });
  expect(profile).not.toHaveProperty('labels');
});
