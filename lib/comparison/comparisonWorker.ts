import { serialiseError } from '../base/workerThread.ts';
import type { NcsNetworkConfig } from '../network/networkConfig.ts';
import { encodeData, type TrainingData } from '../recipe/encodeData.ts';
import { fitFeatures } from '../recipe/fitFeatures.ts';
import { splitShards } from '../recipe/splitShards.ts';
import { parseTrainingConfig, type TrainingConfig } from '../recipe/trainingConfig.ts';
import { type ReportLabels, readReportLabels } from './reportRows.ts';
import { runArm } from './runArm.ts';
import type { WorkerAnswer, WorkerOrder } from './runInProcesses.ts';

// A process of its own, not a thread: ONNX Runtime flushes denormals only for the first session of a process, and
// weights must not depend on which worker trained them.

interface Prepared {
  readonly config: TrainingConfig & { network: NcsNetworkConfig };
  readonly data: TrainingData;
  readonly labels: ReportLabels;
  readonly output: string;
}

let prepared: Prepared | undefined;

process.on('message', (order: WorkerOrder) => {
  void obey(order).then(answer, (error: unknown) => answer({ kind: 'failed', error: serialiseError(error) }));
});
// The parent was killed: nobody waits for the rest.
process.on('disconnect', () => process.exit());

async function obey(order: WorkerOrder): Promise<WorkerAnswer> {
  if (order.kind === 'prepare') {
    const config = parseTrainingConfig(order.config, 'config');
    const split = await splitShards(order.data, config.split);
    const data = await encodeData(config, split, await fitFeatures(config, split));
    const labels = await readReportLabels(config, split);
    prepared = { config: config as Prepared['config'], data, labels, output: order.output };
    return { kind: 'ready' };
  }
  const { config, data, labels, output } = prepared!;
  const startMillis = performance.now();
  await runArm(order.run.arm, order.run.seed, config, data, labels, output);
  return { kind: 'done', run: order.run, seconds: (performance.now() - startMillis) / 1000 };
}

function answer(message: WorkerAnswer): void {
  process.send?.(message);
}
