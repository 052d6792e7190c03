import type { Context } from 'aws-lambda';
import { z } from 'zod';
import { partitionRunSchema } from '../lib/publish/partitionRun.ts';
import { planPartition } from '../lib/publish/planPartition.ts';
import { parseS3Uri, type S3Location } from '../lib/storage/uri.ts';
import { parseEvent } from './events.ts';
import { type ChosenRun, chooseRun, startRequestSchema } from './planRun.ts';
import { readSettings } from './settings.ts';
import { type Invocation, logger, metrics, observed } from './telemetry.ts';
import { traced } from './traced.ts';

type TimedInvocation = Invocation & Partial<Pick<Context, 'getRemainingTimeInMillis'>>;

const partitionStepSchema = z.strictObject({ planPartition: partitionRunSchema });

/** A partition as it was planned: where its work units are. */
export interface PlannedPartitionStep {
  /** False when time ran out while footers were read: called again, it goes on from there. */
  readonly isPlanned: boolean;
  readonly units?: S3Location;
  readonly unitCount?: number;
}

/** Kept for writing down what was read. */
const RESERVE_MILLIS = 20_000;

/** Two steps of the state machine: choosing what a run does, and planning one partition of it. */
export function handler(
  event: unknown,
  invocation: TimedInvocation = {},
): Promise<ChosenRun | PlannedPartitionStep> {
  return observed(invocation, async () => {
    const asked = parseEvent(z.union([startRequestSchema, partitionStepSchema]), event);
    if (!('planPartition' in asked)) {
      const chosen = await traced('choose partitions', {}, () => chooseRun(asked, readSettings()));
      logger.info('chose the partitions of a run', { ...chosen });
      return chosen;
    }
    const { partition, model } = asked.planPartition;
    const remainingMillis = () => invocation.getRemainingTimeInMillis?.() ?? Number.POSITIVE_INFINITY;
    const planned = await traced('plan partition', { partition, model: model.version }, () =>
      planPartition(asked.planPartition, () => remainingMillis() > RESERVE_MILLIS),
    );
    if (planned === undefined) return { isPlanned: false };
    const { unitsUri, ignored, ...counts } = planned;
    metrics.addMetric('unitsPlanned', 'Count', counts.unitCount);
    logger.info(`planned ${partition}`, { ...counts, ignored: ignored.length });
    return { isPlanned: true, units: parseS3Uri(unitsUri), unitCount: counts.unitCount };
  });
}
