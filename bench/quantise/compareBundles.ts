// What a row costs with bundles of one contract, such as one that was trained and what `export` made of it, and how far
// their scores lie apart: `npm run bench:bundles -- DATA BUNDLE [BUNDLE...]`. One thread, validation rows over and over, the
// bundles in turn; CPU time in medians of the rounds.
import { loadBundle, type ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { gatheredModel, SCORING_BATCH_ROWS, ScoringSession } from '../../lib/bundle/scoringSession.ts';
import { copyEncodedRows } from '../../lib/features/encodedRows.ts';
import { readExportRows } from '../../lib/quantise/readExportRows.ts';
import { storageFor } from '../../lib/storage/openStorage.ts';
import type { TrainingSet } from '../../lib/training/trainingSet.ts';
import { medianOf } from '../medianOf.ts';
import { refuseOtherContracts } from './refuseOtherContracts.ts';

const ROUNDS = 15;

const [data, ...uris] = process.argv.slice(2);
if (data === undefined || uris.length === 0) throw new Error('expected DATA BUNDLE [BUNDLE...]');
const bundles = await Promise.all(uris.map((uri) => loadBundle(storageFor(uri), uri)));
refuseOtherContracts(bundles);
const { validation } = await readExportRows(bundles[0]!, data);
const arms = await Promise.all(bundles.map((bundle) => armOf(bundle, validation)));
const reference = await scoresOf(arms[0]!);
for (let round = -1; round < ROUNDS; round++) for (const arm of arms) await measure(arm, round >= 0);
for (const [i, arm] of arms.entries()) {
  const scores = i === 0 ? reference : await scoresOf(arm);
  const apart = scores.reduce((most, score, row) => Math.max(most, Math.abs(score - reference[row]!)), 0);
  const [gather, all] = [medianOf(arm.gatherMicros), medianOf(arm.allMicros)];
  console.log(
    `${uris[i]}: gather ${gather.toFixed(2)}, session ${(all - gather).toFixed(2)}, both ${all.toFixed(2)} µs of CPU per row; ` +
      `scores up to ${apart.toPrecision(2)} from the first's`,
  );
}

type Arm = Awaited<ReturnType<typeof armOf>>;

async function armOf({ uri, layout, ...bundle }: ModelBundle, set: TrainingSet) {
  const model = gatheredModel(bundle.model, uri);
  const session = await ScoringSession.create(model, layout);
  return { session, layout, set, gatherMicros: [] as number[], allMicros: [] as number[] };
}

/** One pass over the rows; gathering is measured apart, and once more within `score`. */
async function measure(arm: Arm, counts: boolean): Promise<void> {
  const { session, layout, set } = arm;
  let [gather, all, rows] = [0, 0, 0];
  for (let start = 0; start + SCORING_BATCH_ROWS <= set.rowCount; start += SCORING_BATCH_ROWS) {
    copyEncodedRows(layout, set.rows, start, start + SCORING_BATCH_ROWS, session.rows);
    const before = process.cpuUsage();
    session.gather(SCORING_BATCH_ROWS);
    const between = process.cpuUsage();
    await session.score(SCORING_BATCH_ROWS);
    gather += microsBetween(before, between);
    all += microsBetween(between, process.cpuUsage());
    rows += SCORING_BATCH_ROWS;
  }
  if (!counts) return;
  arm.gatherMicros.push(gather / rows);
  arm.allMicros.push(all / rows);
}

/** pCTR, then pCVR, of all whole batches. */
async function scoresOf({ session, layout, set }: Arm): Promise<number[]> {
  const scores: [number[], number[]] = [[], []];
  for (let start = 0; start + SCORING_BATCH_ROWS <= set.rowCount; start += SCORING_BATCH_ROWS) {
    copyEncodedRows(layout, set.rows, start, start + SCORING_BATCH_ROWS, session.rows);
    const { pctr, pcvr } = await session.score(SCORING_BATCH_ROWS);
    scores[0].push(...pctr);
    scores[1].push(...pcvr);
  }
  return scores.flat();
}

function microsBetween(from: NodeJS.CpuUsage, to: NodeJS.CpuUsage): number {
  return to.user + to.system - from.user - from.system;
}
