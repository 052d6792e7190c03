import { Command } from 'commander';
import { loadBundle } from '../model/loadBundle.ts';
import { type ExecutedPartition, executePlan } from '../publish/executePlan.ts';
import type { PublishOutcome } from '../publish/publishPartition.ts';
import { readRunPlan, refuseStalePlan } from '../publish/runPlan.ts';
import { storageFor } from '../storage/openStorage.ts';
import { EXIT_DONE, EXIT_FAILED } from './exitCodes.ts';
import { parseUri } from './parseUri.ts';
import { formatCount, ProgressLine } from './progressLine.ts';
import { workersOption } from './workerOption.ts';

interface RunOptions {
  readonly plan: string;
  readonly workers: number;
  readonly json?: boolean;
}

export function runCommand(finish: (exitCode: number) => void): Command {
  return new Command('run')
    .description('score and publish exactly what a plan says, on this machine')
    .requiredOption(
      '--plan <file>',
      'what `plan --output` wrote; refused when an input has changed since',
      parseUri,
    )
    .addOption(workersOption())
    .option('--json', 'print the outcomes as one JSON array')
    .action(async (options: RunOptions) => {
      const plan = await readRunPlan(options.plan);
      await refuseStalePlan(plan, options.plan);
      const bundle = await loadBundle(storageFor(plan.modelUri), plan.modelUri);
      const line = new ProgressLine();
      let rows = 0;
      const executed = await executePlan(plan, bundle, {
        workers: options.workers,
        onPart: (partition, count) => {
          rows += count;
          line.update(`${partition}  ${formatCount(rows)} rows scored`);
        },
      });
      line.clear();
      process.stdout.write(options.json ? `${JSON.stringify(executed)}\n` : executed.map(summarise).join(''));
      const isWhole = executed.every(
        ({ outcome }) => outcome.kind === 'published' || outcome.kind === 'unchanged',
      );
      finish(isWhole ? EXIT_DONE : EXIT_FAILED);
    });
}

function summarise({ partition, partsScored, outcome }: ExecutedPartition): string {
  return `${partition}: ${outcome.kind}, ${partsScored} parts scored${describe(outcome)}\n`;
}

function describe(outcome: PublishOutcome): string {
  switch (outcome.kind) {
    case 'published':
    case 'unchanged': {
      const { generation, current } = outcome.pointer;
      return `, ${formatCount(current.rows)} rows of ${current.model.version}, generation ${generation}`;
    }
    case 'incomplete':
      return `, ${outcome.missing.length} parts missing: the input has changed; plan again`;
    case 'refused':
      return outcome.problems.map((problem) => `\n  - ${problem}`).join('');
    case 'held':
    case 'superseded':
      return `: ${outcome.reason}`;
  }
}
