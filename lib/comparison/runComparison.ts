import { CODE_VERSION } from '../base/codeVersion.ts';
import { sha256 } from '../base/digest.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { labelText } from '../features/labelValues.ts';
import { listVersions, type ShardVersion, splitShards } from '../recipe/splitShards.ts';
import { armSettings, parseTrainingConfig } from '../recipe/trainingConfig.ts';
import { storageFor, writeWhole } from '../storage/openStorage.ts';
import { joinUri } from '../storage/uri.ts';
import { ARMS, REFERENCE_ARM, settingsOfArm } from './arms.ts';
import { collectComparison } from './collectComparison.ts';
import type { ComparisonDocument } from './comparisonDocument.ts';
import { readReportLabels, refuseEqualLabels } from './reportRows.ts';
import { readRunRecord } from './runFolder.ts';
import { type ComparisonSources, type RunName, runInProcesses } from './runInProcesses.ts';

export interface ComparisonProgress {
  readonly done: number;
  readonly total: number;
  /** Of `done`, runs that an earlier call had finished. */
  readonly finishedEarlier: number;
  /** The run that has just ended; undefined in the first report. */
  readonly ended?: { readonly arm: string; readonly seed: number; readonly seconds: number };
}

export interface ComparisonOptions {
  /** How many seeds, from 1 on. */
  readonly seeds: number;
  /** Names of arms; all by default. The reference arm is always among them. */
  readonly arms?: readonly string[];
  readonly processes: number;
  readonly onProgress?: (progress: ComparisonProgress) => void;
}

/** Says what the runs in a folder were made from: a later call with anything else must not mix with them. */
const ORIGIN_FILE = 'comparison-plan.json';

/**
 * Trains every arm with every seed, scores the report rows with each, and writes comparison.json and report.html.
 * Runs that are finished already, from a call that was killed, are kept.
 * @param document the training config, not yet parsed; its split names report rows and its network is `ncs`
 * @throws Ncs4cvrError COMPARISON_NO_REPORT, COMPARISON_NO_TRUNK, COMPARISON_ARM_UNKNOWN, COMPARISON_CHANGED
 * @throws ProblemsError TRAINING_CONFIG_INVALID
 */
export async function runComparison(
  document: unknown,
  configUri: string,
  dataUri: string,
  output: string,
  { seeds, arms, processes, onProgress }: ComparisonOptions,
): Promise<ComparisonDocument> {
  const config = parseTrainingConfig(document, configUri);
  const names = armNames(arms);
  for (const name of names) settingsOfArm(name, config);
  for (const name of Object.keys(config.arms ?? {})) armSettings(config, knownArm(name));
  if (config.network.kind !== 'ncs') {
    throw new Ncs4cvrError('COMPARISON_NO_TRUNK', 'arms are derived from a network with a trunk', {
      file: configUri,
      expected: "network of kind 'ncs'",
      found: config.network.kind,
    });
  }
  const split = await splitShards(dataUri, config.split);
  if (split.report.length === 0) {
    throw new Ncs4cvrError('COMPARISON_NO_REPORT', 'there is nothing to report on', {
      file: configUri,
      expected: 'split.report: days or a share of rows that no arm trains or chooses on',
    });
  }
  const labels = await readReportLabels(config, split);
  refuseEqualLabels(labels, dataUri, split);
  await refuseOtherOrigin(output, document, dataUri, split.listing);

  const seedNumbers = Array.from({ length: seeds }, (_, i) => i + 1);
  // Seed by seed, so that an unfinished comparison has whole seeds.
  const runs = seedNumbers.flatMap((seed) => names.map((arm): RunName => ({ arm, seed })));
  await finishRuns(runs, { config: document, data: dataUri, output }, processes, onProgress);

  // The workers read the shards for themselves, for hours.
  await refuseOtherOrigin(output, document, dataUri, await listVersions(dataUri));
  const comparison = await collectComparison({
    dataUri,
    split,
    conversionLabel: labelText(config.labels.conversion),
    labels,
    output,
    names,
    seeds: seedNumbers,
  });
  // Loaded here: no other command should wait for a charting library.
  const { renderReport } = await import('./renderReport.ts');
  const encode = (text: string) => new TextEncoder().encode(text);
  await writeWhole(joinUri(output, 'report.html'), encode(renderReport(comparison)));
  await writeWhole(joinUri(output, 'comparison.json'), encode(JSON.stringify(comparison, null, 1)));
  return comparison;
}

/** Trains the runs that have no record yet. */
async function finishRuns(
  runs: readonly RunName[],
  sources: ComparisonSources,
  processes: number,
  onProgress: ComparisonOptions['onProgress'],
): Promise<void> {
  const open: RunName[] = [];
  for (const run of runs) {
    if ((await readRunRecord(sources.output, run.arm, run.seed)) === undefined) open.push(run);
  }
  const total = runs.length;
  const finishedEarlier = total - open.length;
  let done = finishedEarlier;
  onProgress?.({ done, total, finishedEarlier });
  await runInProcesses(open, sources, processes, ({ arm, seed }, seconds) => {
    onProgress?.({ done: ++done, total, finishedEarlier, ended: { arm, seed, seconds } });
  });
}

function armNames(chosen: readonly string[] | undefined): string[] {
  const all = Object.keys(ARMS);
  if (chosen === undefined) return all;
  const wanted = new Set([REFERENCE_ARM, ...chosen.map(knownArm)]);
  return all.filter((name) => wanted.has(name));
}

function knownArm(name: string): string {
  if (Object.hasOwn(ARMS, name)) return name;
  throw new Ncs4cvrError('COMPARISON_ARM_UNKNOWN', `there is no arm '${name}'`, {
    expected: `one of ${Object.keys(ARMS).join(', ')}`,
  });
}

/** Refuses to mix runs of two configs, of changed data or of two versions of the code; the first call writes what it compares. */
async function refuseOtherOrigin(
  output: string,
  document: unknown,
  dataUri: string,
  listing: readonly ShardVersion[],
): Promise<void> {
  const digest = sha256(JSON.stringify([CODE_VERSION, document, listing]));
  const file = joinUri(output, ORIGIN_FILE);
  const storage = storageFor(file);
  if (!(await storage.exists(file))) {
    await writeWhole(file, new TextEncoder().encode(JSON.stringify({ data: dataUri, sha256: digest })));
    return;
  }
  const text = new TextDecoder().decode(await storage.readWhole(file));
  if (text.includes(digest)) return;
  throw new Ncs4cvrError(
    'COMPARISON_CHANGED',
    'the folder holds runs of another config, other data or other code',
    {
      file,
      expected:
        'the config, shards and version of ncs4cvr that the comparison was begun with, or another folder',
    },
  );
}
