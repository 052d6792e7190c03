import type { StateDiff } from '../diff/diffStates.ts';
import { diffText } from '../diff/renderDiff.ts';
import { diffShadow } from '../diff/shadowRun.ts';
import type { ExecutedPartition } from '../publish/executePlan.ts';
import type { RunPlan } from '../publish/runPlan.ts';
import { DIFF_DEFAULTS } from './diffCommand.ts';

/** What a shadow run would have changed, partition by partition, for a terminal and as JSON. */
export async function shadowReport(
  plan: RunPlan,
  shadow: RunPlan,
  executed: readonly ExecutedPartition[],
  group: string | undefined,
): Promise<{ readonly text: string; readonly json: object }> {
  const options = { ...DIFF_DEFAULTS, ...(group === undefined ? {} : { group }) };
  const diffs: StateDiff[] = [];
  const lines = [`scored below ${shadow.root}; in ${plan.root} nothing was published\n`];
  for (const { partition, outcome } of executed) {
    if (!('pointer' in outcome)) continue;
    const diff = await diffShadow(plan, shadow, partition, options);
    if (diff === undefined) lines.push(`${partition}: nothing is published to compare with\n`);
    else {
      diffs.push(diff);
      lines.push(`\n${diffText(diff)}`);
    }
  }
  return { text: lines.join(''), json: { shadowRoot: shadow.root, diffs } };
}
