import { invokeAuditFunction } from '../lib/gates/invokeAuditFunction.ts';
import { describeVerdict } from '../lib/gates/verdict.ts';
import { type BrokenShard, describeBrokenShard } from '../lib/publish/brokenShard.ts';
import { describeLeftOut, type LeftOutRows } from '../lib/publish/deadLetters.ts';
import { type PartitionRun, partitionRunSchema, refuseOtherVersion } from '../lib/publish/partitionRun.ts';
import { type PublishOutcome, publishPartition } from '../lib/publish/publishPartition.ts';

import { announceOutcome } from './announceOutcome.ts';
import { parseEvent } from './parseEvent.ts';
import { type Invocation, logger, metrics, observed } from './telemetry.ts';
import { annotate, traced } from './traced.ts';

/** How a publication ended, small enough for a state's output. */
interface PublishedItem {
  readonly kind: PublishOutcome['kind'];
  /** Of the pointer, where it was flipped or stands as it is. */
  readonly generation?: number;
  /** Names the failure that the partition ends with, unless it is tried again. */
  readonly error?: 'PartitionIncomplete' | 'PartitionRefused' | 'PartitionPublishedWithout';
  /** What stands against all being well, in words. */
  readonly problem?: string;
}

/** A partition of the state machine's map. */
export function handler(event: unknown, invocation?: Invocation): Promise<PublishedItem> {
  return observed(invocation, async () => {
    refuseOtherVersion(event);
    return publish(parseEvent(partitionRunSchema, event));
  });
}

async function publish(run: PartitionRun): Promise<PublishedItem> {
  const { partition, model } = run;
  const outcome = await traced('publish partition', { partition, model: model.version }, async () => {
    const ended = await publishPartition(run, { auditors: { function: invokeAuditFunction } });
    await announceOutcome(run, ended);
    annotate('outcome', ended.kind);
    return ended;
  });
  metrics.addMetric(outcome.kind, 'Count', 1);
  countVerdicts(outcome, partition);
  countDrift(outcome);
  if ('deadLetters' in outcome && outcome.deadLetters.rows > 0) {
    metrics.addMetric('rowsDeadLettered', 'Count', outcome.deadLetters.rows);
  }
  const published = publishedItem(outcome, run);
  logger.info(`${partition}: ${outcome.kind}`, { ...published });
  return published;
}

/** What gates have blocked or warned of, in all and by gate, and as a log record each. */
function countVerdicts(outcome: PublishOutcome, partition: string): void {
  if (outcome.kind === 'refused' && outcome.blocked !== undefined) metrics.addMetric('blocked', 'Count', 1);
  for (const verdict of 'verdicts' in outcome ? outcome.verdicts : []) {
    if (verdict.verdict !== 'block' && verdict.verdict !== 'warn') continue;
    const isBlock = verdict.verdict === 'block';
    const byGate = metrics.singleMetric();
    byGate.addDimension('gate', verdict.gate);
    byGate.addMetric(isBlock ? 'gateBlocked' : 'gateWarned', 'Count', 1);
    logger[isBlock ? 'error' : 'warn'](`${partition}: ${describeVerdict(verdict)}`, {
      partition,
      ...verdict,
    });
  }
}

/** What is counted of a gate's measurements, whatever follows from them: the largest, of all features or scores. */
const DRIFTS = [
  ['scoreDistributions', 'scoreDrift'],
  ['featureDistributions', 'featureDrift'],
  ['unseenValues', 'unseenGrowth'],
  ['missingValues', 'missingGrowth'],
] as const;

function countDrift(outcome: PublishOutcome): void {
  const verdicts = 'verdicts' in outcome ? outcome.verdicts : [];
  for (const [gate, name] of DRIFTS) {
    const found = verdicts.flatMap((verdict) =>
      verdict.gate === gate && verdict.found !== null ? verdict.found : [],
    );
    if (found.length > 0) metrics.addMetric(name, 'None', Math.max(...found));
  }
}

/** Of the problems of a gate: a state's output has an end. */
const PROBLEMS_TOLD = 10;

function publishedItem(outcome: PublishOutcome, run: PartitionRun): PublishedItem {
  const { partition } = run;
  const { kind } = outcome;
  switch (kind) {
    case 'published':
    case 'unchanged':
      return { kind, generation: outcome.pointer.generation, ...without(outcome, run) };
    case 'held':
    case 'superseded':
      return { kind, problem: `${partition}: ${outcome.reason}` };
    case 'incomplete': {
      const problem = `${outcome.missing.length} parts of ${partition} are missing: units have failed, or the input has changed`;
      return { kind, error: 'PartitionIncomplete', problem };
    }
    case 'refused': {
      const problem = `${partition} is ${outcome.blocked === undefined ? 'refused' : 'blocked by a gate'}: ${told(outcome.problems)}`;
      return { kind, error: 'PartitionRefused', problem };
    }
  }
}

/** What the job has tolerated is published, and the run isn't green all the same. */
function without(
  { broken, deadLetters }: { readonly broken: readonly BrokenShard[]; readonly deadLetters: LeftOutRows },
  { root, partition, inputUri }: PartitionRun,
): Pick<PublishedItem, 'error' | 'problem'> {
  const missing = broken.map((shard) => describeBrokenShard(inputUri, shard));
  if (deadLetters.rows > 0) missing.unshift(describeLeftOut(deadLetters, root));
  if (missing.length === 0) return {};
  return {
    error: 'PartitionPublishedWithout',
    problem: `${partition} is published without ${told(missing)}`,
  };
}

function told(problems: readonly string[]): string {
  const more = problems.length > PROBLEMS_TOLD ? ` and ${problems.length - PROBLEMS_TOLD} more` : '';
  return `${problems.slice(0, PROBLEMS_TOLD).join('; ')}${more}`;
}
