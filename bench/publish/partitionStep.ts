// One step of a partition's run in a process of its own, as it has on Lambda; runStep.ts starts it and asks.

import type { PartitionRun } from '../../lib/publish/partitionRun.ts';
import { type PlannedUnits, planPartition } from '../../lib/publish/planPartition.ts';
import { publishPartition } from '../../lib/publish/publishPartition.ts';

export interface StepRequest {
  readonly step: 'plan' | 'publish';
  readonly run: PartitionRun;
  /** A plan stops when it has taken so long. */
  readonly limitMillis: number;
}

export interface StepReport {
  /** Undefined for a plan that was stopped, and for a publication. */
  readonly planned: PlannedUnits | undefined;
  /** Of a publication. */
  readonly outcome: string | undefined;
  /** Since the process was started; so is processor time. */
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly peakMegabytes: number;
}

process.once('message', async ({ step, run, limitMillis }: StepRequest) => {
  const startMillis = performance.now();
  const mayGoOn = () => performance.now() - startMillis < limitMillis;
  const planned = step === 'plan' ? await planPartition(run, { mayGoOn }) : undefined;
  const published = step === 'publish' ? await publishPartition(run) : undefined;
  const { user, system } = process.cpuUsage();
  const report: StepReport = {
    planned,
    outcome: published?.kind,
    wallSeconds: process.uptime(),
    cpuSeconds: (user + system) / 1e6,
    peakMegabytes: process.resourceUsage().maxRSS / 1024,
  };
  process.send!(report, () => process.exit());
});
