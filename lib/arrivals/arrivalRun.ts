import { z } from 'zod';
import { sha256 } from '../base/digest.ts';
import type { ArrivalPlace, ArrivalState } from './arrivalState.ts';

/** What a run of arrivals is started with: it waits, and then scores and publishes the partition. */
export const arrivalInputSchema = z.strictObject({
  arrival: z.strictObject({
    partition: z.string(),
    round: z.int().min(1),
    /** For so long, what else lands is awaited. */
    waitSeconds: z.int().min(0),
  }),
});
export type ArrivalInput = Readonly<z.infer<typeof arrivalInputSchema>>;

/**
 * Starts an execution of a name, with an input that follows from it. While that execution runs, starting it again changes
 * nothing.
 * @returns `running` when it runs now; `ended` when an execution of that name has ended already, and nothing was started
 */
export type StartExecution = (name: string, input: ArrivalInput) => Promise<'running' | 'ended'>;

/** At most 80 characters, as Step Functions allows. The root is in it: another root's rounds count from 1 too. */
function executionName({ root, partition }: ArrivalPlace, round: number): string {
  return `arrival-${sha256(`${root}\n${partition}`).slice(0, 40)}-${round}`;
}

/** Starts the run of a state's round, or finds it started. */
export function startRound(
  place: ArrivalPlace,
  { round, waitSeconds }: Pick<ArrivalState, 'round' | 'waitSeconds'>,
  start: StartExecution,
): Promise<'running' | 'ended'> {
  const input = { arrival: { partition: place.partition, round, waitSeconds } };
  return start(executionName(place, round), input);
}
