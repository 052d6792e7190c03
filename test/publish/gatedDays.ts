import { join } from 'node:path';
import { beforeAll, expect } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { DEFAULT_GATES, type GateSettings } from '../../lib/job/gateSettings.ts';
import { executePlan } from '../../lib/publish/executePlan.ts';
import { makeRunPlan } from '../../lib/publish/makeRunPlan.ts';
import type { PublishOutcome } from '../../lib/publish/publishPartition.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { type FunnelRow, funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { freshPlace, type Place, settingsOf } from './partitionUnderTest.ts';

const folder = temporaryFolder();

// Days of a partition under test, as they are published one after the other with the gates' defaults.
export const ROWS = 1_500;
export const YESTERDAY = '2024-03-08';
export const TODAY = '2024-03-09';
export const LIMIT = 60_000;
export let bundle: ModelBundle;
export let yesterday: readonly FunnelRow[];
export let today: readonly FunnelRow[];

beforeAll(async () => {
  ({ bundle } = await trainTinyModel(join(folder, 'gated')));
  yesterday = funnelRows(YESTERDAY, ROWS);
  today = funnelRows(TODAY, ROWS);
}, LIMIT);

export const partitionOf = (day: string) => `dt=${day}`;

export async function put(
  place: Place,
  day: string,
  name: string,
  rows: readonly FunnelRow[],
): Promise<void> {
  await writeWhole(joinUri(place.inputUri, partitionOf(day), name), funnelShard(rows, 400));
}

export async function publishDay(
  place: Place,
  day: string,
  gates: GateSettings = DEFAULT_GATES,
  countLabels = false,
  liftHold = false,
): Promise<PublishOutcome> {
  const partition = partitionOf(day);
  const inputs = [{ partition, inputUri: joinUri(place.inputUri, partition) }];
  const settings = { ...settingsOf(place, bundle), targetRows: 600, gates, liftHold };
  const { plan } = await makeRunPlan(countLabels ? { ...settings, countLabels } : settings, inputs);
  const [executed] = await executePlan(plan, bundle, { workers: 2 });
  const { outcome } = executed!;
  if (outcome.kind === 'failed') throw outcome.error;
  return outcome;
}

/** A place where yesterday is published. */
export async function published(): Promise<Place> {
  const place = freshPlace(folder);
  await put(place, YESTERDAY, 'a.parquet', yesterday);
  const outcome = await publishDay(place, YESTERDAY);
  expect(outcome).toMatchObject({ kind: 'published' });
  return place;
}

export async function publishToday(rows: readonly FunnelRow[], place?: Place) {
  const at = place ?? (await published());
  await put(at, TODAY, 'a.parquet', rows);
  return { place: at, outcome: await publishDay(at, TODAY) };
}

/** Gate and subject of every verdict that blocks. */
export const blocks = (outcome: PublishOutcome) =>
  'verdicts' in outcome
    ? outcome.verdicts
        .filter(({ verdict }) => verdict === 'block')
        .map(({ gate, subject }) => `${gate} ${subject}`.trim())
    : [];
