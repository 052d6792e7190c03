import { Command, Option } from 'commander';
import { messageOf } from '../base/errors.ts';
import { counted, formatCount } from '../base/formatCount.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import { loadBundle, type ModelBundle, requestsToLoad } from '../bundle/loadBundle.ts';
import { resolveModel } from '../channels/resolveModel.ts';
import { makeShadowPlan } from '../diff/shadowRun.ts';
import { estimateRun } from '../estimate/estimateRun.ts';
import { readPrices } from '../estimate/readPrices.ts';
import { invokeAuditFunction } from '../gates/invokeAuditFunction.ts';
import { warningVerdicts } from '../gates/judgePublication.ts';
import type { Auditors } from '../gates/ownAudit.ts';
import { runAuditCommand } from '../gates/runAuditCommand.ts';
import { describeVerdict, type Verdict } from '../gates/verdict.ts';
import { describeLeftOut, type LeftOutRows } from '../publish/deadLetters.ts';
import { type ExecutedPartition, executePlan, toldOutcome } from '../publish/executePlan.ts';
import { describeMissing, type Part } from '../publish/part.ts';
import { describePointer } from '../publish/pointer.ts';
import { refuseStalePlan } from '../publish/refusePlan.ts';
import { type RunPlan, readRunPlan } from '../publish/runPlan.ts';
import { type RunRecord, RunRecorder, RunRecords, writeRunRecord } from '../publish/runRecord.ts';
import { readPartition } from '../report/readPartition.ts';
import { storageFor } from '../storage/openStorage.ts';
import { absoluteUri } from '../storage/uri.ts';
import { notEmpty, parseStateMachineArn, parseUri, workersOption } from './options.ts';
import { remediesIn, remedyFor, toDoLines } from './remedies.ts';
import { pageLine, reportDone, writePage } from './reportCommand.ts';
import { runInStateMachine } from './runInStateMachine.ts';
import { shadowReport } from './shadowReport.ts';
import {
  EXIT_DONE,
  EXIT_FAILED,
  EXIT_HELD,
  EXIT_REFUSED,
  EXIT_USAGE,
  ProgressLine,
  printJson,
  printNote,
} from './terminal.ts';

/** Partitions whose documents are read at a time, for a report. */
const READS_AT_A_TIME = 4;

const AUDITORS: Auditors = { command: runAuditCommand, function: invokeAuditFunction };

interface RunOptions {
  readonly plan: string;
  readonly workers: number;
  readonly stateMachine?: string;
  readonly wait?: boolean;
  readonly shadow?: string;
  readonly shadowScores?: string;
  readonly group?: string;
  readonly allowAudit?: boolean;
  readonly report?: string;
  readonly json?: boolean;
}

export function runCommand(finish: (exitCode: number) => void): Command {
  return new Command('run')
    .description('score and publish exactly what a plan says, on this machine or by the state machine')
    .requiredOption(
      '--plan <file>',
      'what `plan --output` wrote; refused when an input has changed since',
      parseUri,
    )
    .addOption(workersOption())
    .addOption(
      new Option('--state-machine <arn>', 'start this deployed state machine with the plan')
        .argParser(parseStateMachineArn)
        .conflicts('workers'),
    )
    .option('--wait', 'follow the state machine until it ends')
    .addOption(
      new Option(
        '--shadow <uri>',
        'score with this bundle instead, below a root of its own, and show what it would change; publishes nothing',
      )
        .argParser(parseUri)
        .conflicts('stateMachine'),
    )
    .option(
      '--shadow-scores <uri>',
      "output root of the shadow; a hidden folder of the plan's by default",
      parseUri,
    )
    .option(
      '--group <key>',
      'with a shadow: rank the rows that are equal in this row key, such as user_id',
      notEmpty('a row key'),
    )
    .option('--allow-audit', "run the command, or invoke the function, that the plan's job audits with")
    .addOption(
      new Option('--report <file>', 'write a page that tells of the run')
        .argParser(parseUri)
        .conflicts(['stateMachine', 'shadow']),
    )
    .option('--json', 'print the outcomes as JSON')
    .action(async (options: RunOptions, command: Command) => {
      refuseOptionsAlone(options, command);
      const { stateMachine: stateMachineArn, wait = false, json = false } = options;
      const plan = await readRunPlan(options.plan);
      if (stateMachineArn !== undefined) {
        finish(await runInStateMachine(plan, { planFile: options.plan, stateMachineArn, wait, json }));
        return;
      }
      refuseUnaskedAudit(plan, options, command);
      await refuseStalePlan(plan, options.plan);
      const carriedOut = await carriedOutPlan(plan, options);
      const { executed, record } = await carryOut(plan, carriedOut, options);
      const isShadow = options.shadow !== undefined;
      if (!isShadow) await keepRecord(plan.root, record);
      const { report: file } = options;
      const isReported = file === undefined || (await reportRun(file, plan, record));
      const outcomes = executed.map<object | string>((each, index) =>
        json ? asJson(each) : summarise(carriedOut, index, each, isShadow),
      );
      const report = isShadow ? await shadowReport(plan, carriedOut, executed, options.group) : undefined;
      if (json) printJson(report === undefined ? outcomes : { outcomes, ...report.json });
      else
        process.stdout.write(
          `${outcomes.join('')}${toDoLines(executed.flatMap(toDo))}${report?.text ?? ''}${pageLine(isReported ? file : undefined)}`,
        );
      finish(isReported ? exitCodeOf(executed) : EXIT_FAILED);
    });
}

/** Options that mean nothing without another one. */
function refuseOptionsAlone(options: RunOptions, command: Command): void {
  const { stateMachine, wait = false, shadow, shadowScores, group } = options;
  if (shadow === undefined && (shadowScores ?? group) !== undefined) {
    command.error('error: --shadow-scores and --group need --shadow', { exitCode: EXIT_USAGE });
  }
  if (wait && stateMachine === undefined) {
    command.error('error: --wait needs --state-machine', { exitCode: EXIT_USAGE });
  }
}

/** A plan may come from anywhere: nobody runs a program or function of it without having said so. */
function refuseUnaskedAudit(
  { gates: { audit } }: RunPlan,
  { allowAudit }: RunOptions,
  command: Command,
): void {
  if (audit === undefined || audit.action === 'off' || allowAudit === true) return;
  const auditor =
    'command' in audit ? `the command \`${audit.command.join(' ')}\`` : `the function ${audit.function}`;
  command.error(`error: the plan audits with ${auditor}, which needs --allow-audit`, {
    exitCode: EXIT_USAGE,
  });
}

/** The plan itself, or what a shadow does of it. */
async function carriedOutPlan(plan: RunPlan, { shadow, shadowScores }: RunOptions): Promise<RunPlan> {
  if (shadow === undefined) return plan;
  return makeShadowPlan(
    plan,
    await resolveModel(absoluteUri(shadow)),
    shadowScores === undefined ? undefined : absoluteUri(shadowScores),
  );
}

async function carryOut(
  plan: RunPlan,
  carriedOut: RunPlan,
  { workers, allowAudit }: RunOptions,
): Promise<{ readonly executed: readonly ExecutedPartition[]; readonly record: RunRecord }> {
  const bundle = await loadBundle(storageFor(carriedOut.modelUri), carriedOut.modelUri);
  const line = new ProgressLine();
  const recorder = new RunRecorder();
  let rows = 0;
  const executed = await executePlan(carriedOut, bundle, {
    ...{ workers, recorder },
    ...(allowAudit === true ? { auditors: AUDITORS } : {}),
    onPart: (partition, count) => {
      rows += count;
      line.update(`${partition}  ${formatCount(rows)} rows scored`);
    },
  });
  line.clear();
  return { executed, record: recorder.record(plan, workers, await estimateOf(plan, bundle)) };
}

/** What the plan said of itself, with the prices that come with the project. */
async function estimateOf(plan: RunPlan, { manifest }: ModelBundle): Promise<RunRecord['estimate']> {
  const { minutes, dollars } = estimateRun(plan, requestsToLoad(manifest.files), await readPrices());
  return { minutes, dollars };
}

/** Only reports need it: a root that takes no such file is no reason for a run to fail. */
async function keepRecord(root: string, record: RunRecord): Promise<void> {
  try {
    await writeRunRecord(root, record);
  } catch (error) {
    printNote(`note: the record of this run could not be kept: ${messageOf(error)}`);
  }
}

/** @returns whether it was written */
async function reportRun(file: string, { root, partitions }: RunPlan, record: RunRecord): Promise<boolean> {
  const { runReport } = await import('../report/runReport.ts');
  const kept = new RunRecords(root);
  const write = async () => {
    const records = await mapConcurrently(partitions, READS_AT_A_TIME, ({ partition }) =>
      readPartition(root, partition, kept),
    );
    await writePage(file, runReport(record, records));
  };
  const advice = `\`ncs4cvr report --scores ${root} --partition NAME --output FILE\` writes one of a partition`;
  return reportDone('the run has ended, its report is not written', write, advice);
}

function summarise(
  { root, partitions }: RunPlan,
  index: number,
  { partition, partsScored, outcome }: ExecutedPartition,
  isShadow: boolean,
): string {
  const scored = outcome.kind === 'held' && partsScored === 0 ? 'nothing' : counted(partsScored, 'part');
  const told = toldOutcome(outcome);
  // Nothing is: no reader sees it.
  const kind = !isShadow ? told : told === 'published' ? 'in the shadow' : `in the shadow, ${told}`;
  return `${partition}: ${kind}, ${scored} scored${describe(outcome, root, partitions[index]!.parts)}\n`;
}

/** What is to be looked at, and is no failure. */
function warnings(verdicts: readonly Verdict[]): string {
  return warningVerdicts(verdicts)
    .map((verdict) => `\n  - warning: ${describeVerdict(verdict)}`)
    .join('');
}

function withoutRows(deadLetters: LeftOutRows, root: string): string {
  return deadLetters.rows === 0 ? '' : `\n  - without ${describeLeftOut(deadLetters, root)}`;
}

/** Of the worst outcome: failures before refusals, and those before holds. */
function exitCodeOf(executed: readonly ExecutedPartition[]): number {
  const kinds = new Set(executed.filter((each) => !isGood(each)).map(({ outcome }) => outcome.kind));
  for (const kind of ['failed', 'incomplete', 'published', 'unchanged'] as const) {
    if (kinds.has(kind)) return EXIT_FAILED;
  }
  if (kinds.has('refused')) return EXIT_REFUSED;
  return kinds.size > 0 ? EXIT_HELD : EXIT_DONE;
}

/** Only a partition that is published with every shard and row lets a run end well. */
function isGood({ outcome }: ExecutedPartition): boolean {
  return 'pointer' in outcome && outcome.broken.length === 0 && outcome.deadLetters.rows === 0;
}

function toDo({ outcome }: ExecutedPartition): string[] {
  switch (outcome.kind) {
    case 'published':
    case 'unchanged':
      return remediesIn(outcome.broken.map(({ message }) => message));
    case 'incomplete':
      return ['plan again'];
    case 'refused':
      return remediesIn(outcome.problems);
    case 'held':
      return ['once it is right again, plan with --lift-hold'];
    case 'superseded':
      return ['plan again if this model is still wanted'];
    case 'failed': {
      const remedy = remedyFor(outcome.error);
      return remedy === undefined ? [] : [remedy];
    }
  }
}

/** An error has no JSON of its own. */
function asJson({ outcome, ...partition }: ExecutedPartition): object {
  if (outcome.kind !== 'failed') return { ...partition, outcome };
  return { ...partition, outcome: { kind: outcome.kind, error: messageOf(outcome.error) } };
}

function describe(outcome: ExecutedPartition['outcome'], root: string, planned: readonly Part[]): string {
  switch (outcome.kind) {
    case 'published':
    case 'unchanged':
      return `, ${describePointer(outcome.pointer)}${outcome.broken
        .map(({ shard, message }) => `\n  - without ${shard}: ${message}`)
        .join('')}${withoutRows(outcome.deadLetters, root)}${warnings(outcome.verdicts)}`;
    case 'incomplete':
      return `, ${describeMissing(outcome.missing, planned)}`;
    case 'refused':
      return `${outcome.problems.map((problem) => `\n  - ${problem}`).join('')}${warnings(outcome.verdicts)}`;
    case 'held':
    case 'superseded':
      return `: ${outcome.reason}`;
    case 'failed':
      return `: ${messageOf(outcome.error)}`;
  }
}
