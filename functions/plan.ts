import type { Context } from 'aws-lambda';
import { z } from 'zod';
import { arrivalInputSchema } from '../lib/arrivals/arrivalRun.ts';
import { finishArrival, isArrivalPending } from '../lib/arrivals/finishArrival.ts';
import { isRecord } from '../lib/base/jsonDocument.ts';
import { refuseOtherVersion } from '../lib/publish/partitionRun.ts';
import { type ChosenRun, chooseRun } from './chooseRun.ts';
import { executionsOf } from './executionsOf.ts';
import { parseEvent } from './parseEvent.ts';
import { type PartitionStep, partitionStepSchema } from './partitionStep.ts';
import { planPartitionStep } from './planPartition.ts';
import { recordRun, recordStepSchema } from './recordRun.ts';
import { readSettings, type Settings } from './settings.ts';
import { startRequestSchema } from './startRequest.ts';
import { type Invocation, logger, observed } from './telemetry.ts';
import { traced } from './traced.ts';

/** The state machine's steps that score nothing (infra/scoringRun.asl.json). */
const stepSchema = z.discriminatedUnion('step', [
  z.strictObject({ step: z.literal('choose'), request: startRequestSchema, run: z.string() }),
  z.strictObject({ step: z.literal('planPartition'), partition: partitionStepSchema }),
  z.strictObject({ step: z.literal('hasMoreLanded'), arrival: arrivalInputSchema.shape.arrival }),
  z.strictObject({
    step: z.literal('finishArrival'),
    arrival: arrivalInputSchema.shape.arrival,
    stateMachineArn: z.string(),
  }),
  recordStepSchema,
]);
type Step = z.infer<typeof stepSchema>;

type TimedInvocation = Invocation & Partial<Pick<Context, 'getRemainingTimeInMillis'>>;

/** Chooses a run's partitions, plans one of them, ends a round of arrivals, or notes how a run has ended. */
export function handler(
  event: unknown,
  invocation: TimedInvocation = {},
): Promise<ChosenRun | PartitionStep | object> {
  return observed(invocation, async () => {
    const settings = readSettings();
    const remainingMillis = () => invocation.getRemainingTimeInMillis?.() ?? Number.POSITIVE_INFINITY;
    if (isRecord(event) && isRecord(event.partition)) refuseOtherVersion(event.partition.item);
    return take(parseEvent(stepSchema, event), settings, remainingMillis);
  });
}

async function take(
  step: Step,
  settings: Settings,
  remainingMillis: () => number,
): Promise<ChosenRun | PartitionStep | object> {
  switch (step.step) {
    case 'choose': {
      const chosen = await traced('choose partitions', {}, () => chooseRun(step.request, step.run, settings));
      logger.info('chose the partitions of a run', { ...chosen });
      return chosen;
    }
    case 'planPartition':
      return planPartitionStep(step.partition, settings.JOB, remainingMillis);
    case 'hasMoreLanded': {
      const { partition, round } = step.arrival;
      return { isPending: await isArrivalPending({ root: settings.JOB.scores, partition }, round) };
    }
    case 'finishArrival': {
      const { partition, round } = step.arrival;
      const options = {
        waitSeconds: settings.ARRIVAL_WAIT_SECONDS,
        start: executionsOf(step.stateMachineArn),
      };
      await finishArrival({ root: settings.JOB.scores, partition }, round, options);
      return step.arrival;
    }
    case 'recordRun':
      return recordRun(step, settings.JOB.scores);
  }
}
