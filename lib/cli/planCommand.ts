import { Command, Option } from 'commander';
import { counted, formatCount, formatDollars } from '../base/formatCount.ts';
import { encodeJson } from '../base/jsonDocument.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import { readBundleManifest } from '../bundle/bundleManifest.ts';
import { requestsToLoad } from '../bundle/loadBundle.ts';
import { type ResolvedModel, resolveModel } from '../channels/resolveModel.ts';
import { estimateRun, type RunEstimate } from '../estimate/estimateRun.ts';
import { functionMegabytes, refuseLargeModel } from '../estimate/modelMemory.ts';
import { type Prices, readPrices } from '../estimate/readPrices.ts';
import { type ChoiceRemarks, choosePartitions, type PartitionChoice } from '../job/choosePartitions.ts';
import { describeGap } from '../job/dayGaps.ts';
import { DEFAULT_TARGET_ROWS, type JobDocument, parseJob } from '../job/jobDocument.ts';
import { openJobInput } from '../job/jobInput.ts';
import { readJob } from '../job/readJob.ts';
import { describeBrokenShard } from '../publish/brokenShard.ts';
import { type MadePlan, makeRunPlan } from '../publish/makeRunPlan.ts';
import { runSettingsOf } from '../publish/partitionRun.ts';
import { type PartitionState, partitionState } from '../publish/partitionState.ts';
import type { RunPlan } from '../publish/runPlan.ts';
import { storageFor, writeWhole } from '../storage/openStorage.ts';
import { absoluteUri } from '../storage/uri.ts';
import { daysBetween, isoDate, parseUri, partitionName, wholeNumber } from './options.ts';
import { EXIT_DONE, EXIT_USAGE, printJson } from './terminal.ts';

interface PlanOptions {
  readonly job?: string;
  readonly model?: string;
  readonly input?: string;
  readonly scores?: string;
  readonly output?: string;
  readonly prices?: string;
  readonly memory?: number;
  readonly partition?: string;
  readonly from?: string;
  readonly to?: string;
  readonly targetRows?: number;
  readonly liftHold?: boolean;
  readonly json?: boolean;
}

export function planCommand(finish: (exitCode: number) => void): Command {
  return new Command('plan')
    .description('show what scoring and publishing partitions would do, skip and cost')
    .addOption(
      new Option('--job <file>', 'job document: input, scores, model and layout of the partitions')
        .argParser(parseUri)
        .conflicts(['input', 'scores', 'targetRows']),
    )
    .option('--model <uri>', 'model bundle; the one of the job by default', parseUri)
    .option('--input <uri>', 'without a job: folder of partitions such as dt=2022-05-06/', parseUri)
    .option('--scores <uri>', 'without a job: output root of the published scores', parseUri)
    .option(
      '--partition <name>',
      'this partition; those of the newest complete day by default',
      partitionName,
    )
    .option('--from <date>', 'all partitions from this day, YYYY-MM-DD', isoDate)
    .option('--to <date>', 'up to this day', isoDate)
    .addOption(
      new Option(
        '--target-rows <n>',
        `without a job: rows of a part, on average (default: ${DEFAULT_TARGET_ROWS})`,
      ).argParser(wholeNumber(1, 1_000_000_000)),
    )
    .option('--lift-hold', 'publish partitions that were rolled back, too')
    .option('--output <file>', 'write the plan, for `run --plan`', parseUri)
    .option(
      '--prices <file>',
      'what the estimate is made with, instead of the prices that come along',
      parseUri,
    )
    .addOption(
      new Option(
        '--memory <megabytes>',
        "of a score function, in place of the job's memoryMegabytes: a model that doesn't fit into it is refused",
      ).argParser(wholeNumber(128, 10_240)),
    )
    .option('--json', 'print the plan as one JSON object')
    .action(async (options: PlanOptions, command: Command) => {
      const prices = await readPrices(options.prices);
      const choice = choiceOf(options, command);
      const { liftHold = false } = options;
      const job = await jobOf(options, command);
      const input = await openJobInput(job);
      const chosen = await choosePartitions(job, choice, Date.now(), input);
      const model = await resolveModel(job.model);
      const { files } = await readBundleManifest(storageFor(model.uri), model.uri);
      const memoryLimit = options.memory ?? job.memoryMegabytes;
      if (memoryLimit !== undefined) refuseLargeModel(model.uri, files, memoryLimit);
      const settings = runSettingsOf(job, model, liftHold);
      const { plan, ignored, empty } = await makeRunPlan(settings, chosen.partitions, job.layout);
      if (options.output !== undefined) await writeWhole(options.output, encodeJson(plan));
      const estimate = estimateRun(plan, requestsToLoad(files), prices);
      const now = Date.now();
      const states = await mapConcurrently(plan.partitions, STATES_AT_A_TIME, ({ partition }) =>
        partitionState(job, input, partition, now),
      );
      const { missingDays, gaps, sameTimes } = chosen;
      const skipped = [...chosen.skipped, ...empty];
      const remarks = { skipped, missingDays, gaps, sameTimes };
      const memoryMegabytes = memoryLimit ?? prices.memoryMegabytes;
      const modelMegabytes = functionMegabytes(files, memoryMegabytes);
      const told = {
        plan,
        model,
        states,
        estimate,
        prices,
        modelMegabytes,
        memoryMegabytes,
        remarks,
        ignored,
      };
      if (options.json) printJson(planJson(told));
      else process.stdout.write(planText(told));
      finish(EXIT_DONE);
    });
}

/** A plan, and what is told of it. */
interface ToldPlan {
  readonly plan: RunPlan;
  readonly model: ResolvedModel;
  /** Of each of its partitions. */
  readonly states: readonly PartitionState[];
  readonly estimate: RunEstimate;
  readonly prices: Prices;
  readonly modelMegabytes: number;
  /** Of a score function. */
  readonly memoryMegabytes: number;
  readonly remarks: ChoiceRemarks;
  readonly ignored: MadePlan['ignored'];
}

function planJson({ plan, model, states, estimate, modelMegabytes, remarks, ignored }: ToldPlan): object {
  return {
    ...plan,
    channel: model.channel,
    estimate,
    modelMegabytes,
    stages: states.map(({ stage }) => stage),
    ...remarks,
    ignored,
  };
}

function planText(told: ToldPlan): string {
  const { plan, modelMegabytes, memoryMegabytes, remarks, ignored } = told;
  const lines = [
    summarise(told),
    `the model takes about ${formatCount(modelMegabytes)} MB of a score function's ` +
      `${formatCount(memoryMegabytes)} MB`,
    ...brokenShards(plan),
    ...passedOver(remarks, ignored),
  ];
  return `${lines.join('\n')}\n`;
}

/** What is to be scored, with which model: of a document, or of the options with a job's defaults. */
async function jobOf(options: PlanOptions, command: Command): Promise<JobDocument> {
  const { model, input, scores, targetRows } = options;
  if (options.job !== undefined) {
    const job = await readJob(options.job);
    return model === undefined ? job : { ...job, model: absoluteUri(model) };
  }
  if (model === undefined || input === undefined || scores === undefined) {
    const missing = Object.entries({ model, input, scores }).filter(([, value]) => value === undefined);
    const names = missing.map(([name]) => `--${name}`).join(', ');
    command.error(`error: without --job, ${names} must be given`, { exitCode: EXIT_USAGE });
  }
  const uris = { model: absoluteUri(model), input: absoluteUri(input), scores: absoluteUri(scores) };
  return parseJob({ ...uris, targetRows });
}

function choiceOf({ partition, from, to }: PlanOptions, command: Command): PartitionChoice {
  if (partition !== undefined && (from !== undefined || to !== undefined)) {
    command.error('error: --partition and --from/--to exclude each other', { exitCode: EXIT_USAGE });
  }
  if (partition !== undefined) return { kind: 'one', partition };
  const range = daysBetween(command, from, to);
  return range === undefined ? { kind: 'newest' } : { kind: 'dates', ...range };
}

/** Partitions whose state is asked for at a time. */
const STATES_AT_A_TIME = 8;

function summarise({ plan, model: { channel }, states, estimate, prices }: ToldPlan): string {
  const { partitions, model, liftHold } = plan;
  const lines = partitions.map(({ partition, shardCount, parts, done, broken, sizeBytes }, index) => {
    const rows = parts.reduce((sum, part) => sum + part.rows, 0);
    const skips =
      done.length === 0 ? '' : `, ${done.length} done already for the same input, model and contract`;
    return (
      `${partition}  ${counted(shardCount, 'shard')}${broken.length === 0 ? '' : `, ${broken.length} of them broken,`}  ` +
      `${counted(rows, 'row')}  ${counted(sizeBytes, 'byte')}  ${counted(parts.length, 'part')}${skips}; ${standing(states[index]!, liftHold)}`
    );
  });
  const { rows, rowsDone, minutes, dollars } = estimate;
  if (rows === rowsDone) return [...lines, 'nothing to score'].join('\n');
  const chosenBy =
    channel === undefined ? '' : ` (channel ${channel.name}, generation ${channel.generation})`;
  return [
    ...lines,
    `to score with ${model.version}${chosenBy}: ${formatCount(rows - rowsDone)} rows; on Lambda about ` +
      `${minutes.toFixed(1)} minutes and ${formatDollars(dollars)} (${prices.architecture} in ${prices.region}, ` +
      `prices of ${prices.date})`,
  ].join('\n');
}

function standing({ stage, reason }: PartitionState, liftHold: boolean): string {
  const said = reason === undefined ? '' : ` (${reason})`;
  if (stage !== 'held') return `${stage}${said}`;
  return `held${said}: ${liftHold ? 'this plan lifts the hold' : 'only published with --lift-hold'}`;
}

/** Names that are shown of a list. */
const SHOWN = 10;

function brokenShards({ partitions }: RunPlan): string[] {
  return shown(
    'broken shards, without which nothing is published unless the job tolerates them',
    partitions.flatMap(({ inputUri, broken }) => broken.map((shard) => describeBrokenShard(inputUri, shard))),
  );
}

/** What the plan leaves out or takes twice, as lines. */
function passedOver(
  { skipped, missingDays, gaps, sameTimes }: ChoiceRemarks,
  ignored: MadePlan['ignored'],
): string[] {
  return [
    ...shown(
      'passed over',
      skipped.map(({ name, reason }) => `${name}: ${reason}`),
    ),
    ...shown('days without a partition', missingDays),
    ...shown('days without hours or regions that the days around them have', gaps.map(describeGap)),
    ...shown(
      'partitions of one time by their names, published each for itself',
      sameTimes.map((names) => names.join(', ')),
    ),
    ...shown('files that are no shards', ignored),
  ];
}

function shown(title: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const rest = names.length > SHOWN ? [`and ${names.length - SHOWN} more`] : [];
  return [`${title}:`, ...[...names.slice(0, SHOWN), ...rest].map((line) => `  ${line}`)];
}
