import { join } from 'node:path';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { DEFAULT_GATES } from '../../lib/job/gateSettings.ts';
import { executePlan } from '../../lib/publish/executePlan.ts';
import { makeRunPlan } from '../../lib/publish/makeRunPlan.ts';
import { type RunRecord, RunRecorder, writeRunRecord } from '../../lib/publish/runRecord.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { type FunnelRow, funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { type TinyModel, trainTinyModel } from '../fixtures/tinyModel.ts';
import { freshPlace, type Place, settingsOf } from '../publish/partitionUnderTest.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();

export const ROWS = 1_500;
export const DAYS = ['2024-03-08', '2024-03-09', '2024-03-10'] as const;
export const partitionOf = (day: string): string => `dt=${day}`;

const NULLABLE_REQUEST = [
  { name: 'request', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
] as const;

/** A model with learned masks and slices, so that its report has everything that one can have. */
export function trainReportedModel(): Promise<TinyModel> {
  return trainTinyModel(join(folder, 'reported'), {
    config: { masks: { method: 'learned', density: 0.4 }, slices: ['hour'] },
  });
}

async function put(place: Place, day: string, name: string, bytes: Uint8Array): Promise<void> {
  await writeWhole(joinUri(place.inputUri, partitionOf(day), name), bytes);
}

/** Runs days as `run` does, and keeps the record. */
async function runDays(place: Place, bundle: ModelBundle, days: readonly string[]): Promise<RunRecord> {
  const inputs = days.map((day) => ({
    partition: partitionOf(day),
    inputUri: joinUri(place.inputUri, partitionOf(day)),
  }));
  const settings = {
    ...settingsOf(place, bundle),
    ...{ targetRows: 400, gates: DEFAULT_GATES, toleratedBrokenShards: 1 },
    badRows: { deadLetter: { maxShare: 0.5, maxRows: 100 } },
  };
  const { plan } = await makeRunPlan(settings, inputs);
  const recorder = new RunRecorder();
  await executePlan(plan, bundle, { workers: 2, recorder });
  const record = recorder.record(plan, 2, { minutes: 1.5, dollars: 0.25 });
  await writeRunRecord(place.root, record);
  return record;
}

export interface ReportScene {
  readonly place: Place;
  /** Of the first two days, then of the third. */
  readonly runs: readonly [RunRecord, RunRecord];
}

/**
 * Three nights: a clean one; one with dead letters and a broken shard that its job tolerates; and one whose rows were published
 * the day before, which a gate blocks.
 */
export async function reportScene(bundle: ModelBundle): Promise<ReportScene> {
  const place = freshPlace(folder);
  const rowsOf = (day: string) => funnelRows(day, ROWS);
  await put(place, DAYS[0], 'part-0.parquet', funnelShard(rowsOf(DAYS[0]), 400));
  const withoutKey = (row: FunnelRow, index: number) =>
    index < 2 ? { ...row, request: null as unknown as string } : row;
  await put(
    place,
    DAYS[1],
    'part-0.parquet',
    funnelShard(rowsOf(DAYS[1]).map(withoutKey), 400, { request: NULLABLE_REQUEST }),
  );
  await put(place, DAYS[1], 'part-1.parquet', new TextEncoder().encode('PAR1 is what it begins with'));
  const first = await runDays(place, bundle, [DAYS[0], DAYS[1]]);
  await put(place, DAYS[2], 'part-0.parquet', funnelShard(rowsOf(DAYS[0]), 400));
  return { place, runs: [first, await runDays(place, bundle, [DAYS[2]])] };
}
