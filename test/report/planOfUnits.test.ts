import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { encodeJson } from '../../lib/base/jsonDocument.ts';
import { type ModelBundle, requestsToLoad } from '../../lib/bundle/loadBundle.ts';
import { estimateRun, type RunEstimate } from '../../lib/estimate/estimateRun.ts';
import { type Prices, readPrices } from '../../lib/estimate/readPrices.ts';
import { DEFAULT_GATES } from '../../lib/job/gateSettings.ts';
import { executePlan } from '../../lib/publish/executePlan.ts';
import { makeRunPlan } from '../../lib/publish/makeRunPlan.ts';
import { openParts, type RunPlan, runsOfPlan } from '../../lib/publish/runPlan.ts';
import { workUnits } from '../../lib/publish/workUnit.ts';
import { readPartition } from '../../lib/report/readPartition.ts';
import { partitionReport } from '../../lib/report/runReport.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import {
  first,
  freshPlace,
  PARTITION,
  type Place,
  put,
  second,
  settingsOf,
} from '../publish/partitionUnderTest.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { sectionOf, tableOf, textOf } from './readPage.ts';

const folder = temporaryFolder();

const SECONDS = 30;
let bundle: ModelBundle;
let prices: Prices;

beforeAll(async () => {
  ({ bundle } = await trainTinyModel(join(folder, 'planned')));
  prices = await readPrices();
}, 120_000);

/** Plans, scores and publishes a partition, and leaves what the state machine would have left of it. */
async function runAsStateMachine(
  place: Place,
  name: string,
  model: ModelBundle,
): Promise<{ readonly plan: RunPlan; readonly estimate: RunEstimate }> {
  const settings = { ...settingsOf(place, model), gates: DEFAULT_GATES };
  const inputs = [{ partition: PARTITION, inputUri: place.inputUri }];
  const { plan } = await makeRunPlan(settings, inputs);
  const [run] = runsOfPlan(plan);
  const units = await workUnits(run!, openParts(plan.partitions[0]!));
  await executePlan(plan, model, { workers: 2 });
  const at = Date.parse('2024-03-10T02:00:00Z');
  const iso = (millis: number) => new Date(millis).toISOString();
  await writeWhole(
    join(place.root, 'runs', name, 'partitions.json'),
    encodeJson([{ item: run, attempt: 0, mapConcurrency: 1, results: { bucket: 'b', prefix: 'runs' } }]),
  );
  await writeWhole(
    join(place.root, 'runs', name, 'map-1/SUCCEEDED_0.json'),
    encodeJson(
      // As they end: the last one first.
      units.toReversed().map((unit, index) => ({
        ...{ Name: `unit-${index}`, Input: JSON.stringify(unit) },
        Output: JSON.stringify({ usage: { gigabyteSeconds: 1000, calls: 1 } }),
        ...{ StartDate: iso(at + 1000 * index), StopDate: iso(at + 1000 * SECONDS) },
      })),
    ),
  );
  return { plan, estimate: estimateRun(plan, requestsToLoad(model.manifest.files), prices) };
}

async function estimateIn(place: Place): Promise<RunEstimate | undefined> {
  const { unitsPlan } = await readPartition(place.root, PARTITION);
  return unitsPlan && estimateRun(unitsPlan.plan, unitsPlan.bundleGets, prices);
}

describe('what units of the state machine were to take', () => {
  it('is what `plan` has said of the partition, of a first run and of one that found parts done', async () => {
    const place = freshPlace(folder);
    await put(place, 'part-0.parquet', first);
    const { estimate: whole } = await runAsStateMachine(place, 'monday', bundle);
    expect(whole.parts).toBeGreaterThan(2);
    expect(await estimateIn(place)).toEqual(whole);
    await put(place, 'part-1.parquet', second);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const { plan, estimate: rest } = await runAsStateMachine(place, 'tuesday', bundle);
    expect(rest.rowsDone).toBe(first.length);
    expect(await estimateIn(place)).toEqual(rest);
    // In the plan's order, which decides what is one unit.
    const { unitsPlan } = await readPartition(place.root, PARTITION);
    const idsIn = ({ partitions: [each] }: RunPlan) => [each!.parts.map(({ partId }) => partId), each!.done];
    expect(idsIn(unitsPlan!.plan)).toEqual(idsIn(plan));
  });

  it('stands in the report beside what they took, and the report says so where it can no longer be told', async () => {
    const place = freshPlace(folder);
    const modelFolder = join(folder, 'moved-bundle');
    mkdirSync(modelFolder);
    for (const name of Object.keys(bundle.manifest.files).concat('bundle.json')) {
      await writeWhole(join(modelFolder, name), readFileSync(join(bundle.uri, name)));
    }
    await put(place, 'part-0.parquet', first);
    const { estimate } = await runAsStateMachine(place, 'monday', {
      ...bundle,
      uri: modelFolder,
    });
    const { rows, parts, minutes, dollars } = estimate;
    const record = await readPartition(place.root, PARTITION);
    const section = (of: typeof record) => sectionOf(partitionReport(of, prices), 'What ran when');
    const table = (of: typeof record) =>
      tableOf(section(of), 'Planned and actual, of the units of the state machine').map((row) =>
        row.slice(1),
      );
    const cost = record.units.length * 1000 * prices.dollarsPerGigabyteSecond;
    expect(table(record)).toEqual([
      [String(rows), String(rows)],
      [String(parts), String(parts)],
      [`${(60 * minutes - prices.secondsPerRun).toFixed(1)} s`, '30 s'],
      [`$${dollars.toPrecision(2)}`, `$${cost.toFixed(2)}`],
    ]);
    expect(textOf(section(record))).not.toContain("can't be told any more");
    renameSync(modelFolder, `${modelFolder}-away`);
    const later = await readPartition(place.root, PARTITION);
    expect(table(later).slice(2)).toEqual([
      ['—', '30 s'],
      ['—', `$${cost.toFixed(2)}`],
    ]);
    expect(textOf(section(later))).toContain("can't be told any more");
  });

  it('is left out where the document of the run is damaged, which the report names beside everything else', async () => {
    const place = freshPlace(folder);
    await put(place, 'part-0.parquet', first);
    await runAsStateMachine(place, 'monday', bundle);
    const steps = join(place.root, 'runs/monday/partitions.json');
    const whole = readFileSync(steps, 'utf8');
    const damages = [whole.slice(0, 100), '{}', whole.replace(/"targetRows": \d+/, '"targetRows": "many"')];
    for (const text of damages) {
      writeFileSync(steps, text);
      const record = await readPartition(place.root, PARTITION);
      expect([record.unitsPlan, record.units.length > 0]).toEqual([undefined, true]);
      expect(record.unreadable).toEqual([expect.stringContaining(`PUBLISH_DOCUMENT_INVALID: ${steps}: `)]);
      const page = partitionReport(record, prices);
      expect(textOf(sectionOf(page, 'At a glance'))).toContain(steps);
      expect(textOf(sectionOf(page, 'What ran when'))).toContain("or can't be read");
    }
  });

  it('is left out where the document of the run is of another format', async () => {
    const place = freshPlace(folder);
    await put(place, 'part-0.parquet', first);
    await runAsStateMachine(place, 'monday', bundle);
    const steps = join(place.root, 'runs/monday/partitions.json');
    writeFileSync(steps, readFileSync(steps, 'utf8').replace('"formatVersion": 5', '"formatVersion": 4'));
    expect(readFileSync(steps, 'utf8')).toContain('"formatVersion": 4');
    expect(await estimateIn(place)).toBeUndefined();
    expect((await readPartition(place.root, PARTITION)).unreadable).toEqual([]);
  });
});
