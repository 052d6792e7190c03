import { Command, Option } from 'commander';
import { counted } from '../base/formatCount.ts';
import { describeEnd, describeExecution, type Execution } from '../stateMachine/execution.ts';
import { newestRedrivable, redriveRun, refuseUnredrivable } from '../stateMachine/redriveRun.ts';
import { openStepFunctions, type StepFunctions } from '../stateMachine/stepFunctions.ts';
import { parseExecutionArn, parseStateMachineArn } from './options.ts';
import { waitForExecution } from './runInStateMachine.ts';
import { EXIT_DONE, EXIT_USAGE, printJson, printNote } from './terminal.ts';

interface RedriveOptions {
  readonly execution?: string;
  readonly stateMachine?: string;
  readonly wait?: boolean;
  readonly json?: boolean;
}

export function redriveCommand(finish: (exitCode: number) => void): Command {
  return new Command('redrive')
    .description('continue a failed run of the state machine where it stopped')
    .addOption(
      new Option('--execution <arn>', 'this run').argParser(parseExecutionArn).conflicts('stateMachine'),
    )
    .addOption(
      new Option(
        '--state-machine <arn>',
        'its last run that failed, timed out or was aborted in the last 14 days',
      ).argParser(parseStateMachineArn),
    )
    .option('--wait', 'follow the run until it ends')
    .option('--json', 'print what was redriven as one JSON object')
    .action(async (options: RedriveOptions, command: Command) => {
      const arn = options.execution ?? options.stateMachine;
      if (arn === undefined)
        command.error('error: --execution or --state-machine is needed', { exitCode: EXIT_USAGE });
      const sfn = await openStepFunctions(arn);
      const execution = await findRun(sfn, options);
      printNote(summarise(execution));
      const redriveDate = await redriveRun(sfn, execution);
      if (!options.json) process.stdout.write(`${execution.arn}\n`);
      if (options.wait) await waitForExecution(sfn, execution.arn, execution.redriveCount + 1);
      if (options.json) printJson({ executionArn: execution.arn, redriveDate });
      finish(EXIT_DONE);
    });
}

async function findRun(
  sfn: StepFunctions,
  { execution: arn, stateMachine }: RedriveOptions,
): Promise<Execution> {
  if (arn === undefined) return newestRedrivable(sfn, stateMachine!);
  const execution = await describeExecution(sfn, arn);
  refuseUnredrivable(execution);
  return execution;
}

function summarise(execution: Execution): string {
  const { startDate, stopDate, input, redriveCount } = execution;
  return (
    `started ${startDate.toISOString()} with ${input ?? 'its input'}\n` +
    `ended ${stopDate?.toISOString() ?? 'recently'}: ${describeEnd(execution)}\n` +
    `redriving it${redriveCount === 0 ? '' : ` (redriven ${counted(redriveCount, 'time')} before)`}`
  );
}
