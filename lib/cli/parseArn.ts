import { InvalidArgumentError } from 'commander';
import { isExecutionArn, isStateMachineArn } from '../stateMachine/arns.ts';

/** Such as the stack's output ScoringRunArn. */
export function parseStateMachineArn(text: string): string {
  if (isStateMachineArn(text)) return text;
  throw new InvalidArgumentError('expected arn:aws:states:REGION:ACCOUNT:stateMachine:NAME');
}

export function parseExecutionArn(text: string): string {
  if (isExecutionArn(text)) return text;
  throw new InvalidArgumentError('expected arn:aws:states:REGION:ACCOUNT:execution:STATE_MACHINE:NAME');
}
