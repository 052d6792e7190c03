import { UnreadableFiles } from '../../lib/base/unreadableFiles.ts';
import { renderReport } from '../../lib/comparison/renderReport.ts';
import { diffStates } from '../../lib/diff/diffStates.ts';
import { diffPage } from '../../lib/diff/renderDiff.ts';
import { readPrices } from '../../lib/estimate/readPrices.ts';
import { findState } from '../../lib/publish/findState.ts';
import { blockedPartitions, publicationStatus } from '../../lib/publish/publishedState.ts';
import { measureModel } from '../../lib/report/measureModel.ts';
import { modelReport } from '../../lib/report/modelReport.ts';
import { partitionsPage } from '../../lib/report/partitionsPage.ts';
import { readPartition } from '../../lib/report/readPartition.ts';
import { readPartitions, statesOfRoot } from '../../lib/report/readPartitions.ts';
import { partitionReport, runReport } from '../../lib/report/runReport.ts';
import { scoreReport } from '../../lib/report/scoreReport.ts';
import { scoreInput } from '../../lib/scoring/scoreInput.ts';
import { comparisonOf } from '../comparison/comparisonOf.ts';
import { first, freshPlace, PARTITION, put, replacing, run } from '../publish/partitionUnderTest.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { DAYS, partitionOf, reportScene, trainReportedModel } from './reportScene.ts';

const folder = temporaryFolder();

/** Every kind of page that the project writes, by a name for its file, each with everything that it can hold. */
export async function everyPage(): Promise<ReadonlyMap<string, string>> {
  const { bundle, dataUri } = await trainReportedModel();
  const { place, runs } = await reportScene(bundle);
  const { root } = place;
  const records = await Promise.all(DAYS.map((day) => readPartition(root, partitionOf(day))));
  const prices = await readPrices();
  const states = statesOfRoot(root, await publicationStatus(root), await blockedPartitions(root));
  const partitions = await readPartitions(root, states, new UnreadableFiles());
  const measures = await measureModel(bundle, `${dataUri}/dt=2024-03-03`, { rows: 1_000 });
  const { uri, manifest, reference } = bundle;
  // A broken shard is among them.
  const scored = await scoreInput(place.inputUri, `${folder}/scored`, bundle, { workers: 2 });

  const twice = freshPlace(folder);
  await put(twice, 'part-0.parquet', first);
  await run(twice, bundle);
  await put(twice, 'part-0.parquet', replacing);
  await run(twice, bundle);
  const [before, after] = await Promise.all(
    (['before', 'current'] as const).map((name) => findState(twice.root, PARTITION, name)),
  );
  const options = { group: 'request', slice: 'request', rankBy: 'pctcvr', top: 3, movers: 5 } as const;
  return new Map([
    ['partition', partitionReport(records[1]!, prices)],
    ['blocked', partitionReport(records[2]!, prices)],
    ['run', runReport(runs[0], records.slice(0, 2))],
    [
      'partitions',
      partitionsPage({
        unreadable: [],
        ...{ root, partitions, missingDays: ['2024-03-07'], nowMillis: Date.parse('2024-03-11T06:00:00Z') },
        linkOf: (partition) => `reports/${partition}.html`,
      }),
    ],
    ['model', modelReport({ uri, manifest, reference, measures })],
    [
      'score',
      scoreReport({
        ...{ report: scored, bundle, workers: 2, startMillis: Date.parse('2024-03-11T06:00:00Z') },
        progress: [[scored.seconds / 2, scored.rows / 2]],
      }),
    ],
    ['comparison', renderReport(comparisonOf(16))],
    ['diff', diffPage(await diffStates(before!, after!, options))],
  ]);
}
