import { resolveModel } from '../lib/channels/resolveModel.ts';
import { inputPartition } from '../lib/job/choosePartitions.ts';
import { makeArrivalPlan } from '../lib/publish/makeRunPlan.ts';
import { publishRequests, workUnits } from '../lib/publish/runPlan.ts';
import { sendMessages } from './messageQueue.ts';
import type { Settings } from './settings.ts';
import { logger, metrics } from './telemetry.ts';
import { annotate, traced } from './traced.ts';

/** Plans a partition that a shard landed in, and sends what is to be done to the queues. */
export function planAndSend(partition: string, settings: Settings): Promise<void> {
  return traced('plan partition', { partition }, () => plan(partition, settings));
}

async function plan(partition: string, settings: Settings): Promise<void> {
  const { JOB: job, UNITS_QUEUE_URL, PUBLISH_QUEUE_URL } = settings;
  const options = {
    firstModelUri: (await resolveModel(job.model)).uri,
    root: job.scores,
    targetRows: job.targetRows,
  };
  const { plan: arrival, ignored } = await makeArrivalPlan(options, inputPartition(job.input, partition));
  annotate('model', arrival.model.version);
  const units = workUnits(arrival);
  await sendMessages(UNITS_QUEUE_URL, units);
  // Everything is done already: a shard was removed, or a publication was lost.
  if (units.length === 0) await sendMessages(PUBLISH_QUEUE_URL, publishRequests(arrival));
  metrics.addMetric('unitsPlanned', 'Count', units.length);
  logger.info(`planned ${partition}`, {
    model: arrival.model.version,
    units: units.length,
    done: arrival.partitions[0]!.done.length,
    ignored: ignored.length,
  });
}
