import { startRound } from './arrivalRun.ts';
import { type ArrivalPlace, readArrivalState, replaceArrivalState } from './arrivalState.ts';
import type { ArrivalOptions } from './noticeArrival.ts';

/**
 * Says that a round's run is about to plan: what has landed until now needs no other run. Call it before the plan reads
 * anything. A round that is over changes nothing, and neither does a repeated call: it may be one whose answer was lost, which
 * goes on when the call after it has planned, and what has landed since then is in no plan of this round.
 */
export async function beginArrival(place: ArrivalPlace, round: number): Promise<void> {
  for (;;) {
    const read = await readArrivalState(place);
    const { state } = read;
    if (state?.round !== round || !state.isRunning || state.isBegun) return;
    if (await replaceArrivalState(place, read, { ...state, isBegun: true, isPending: false })) return;
  }
}

/** Has anything landed that the plan of a round's run may not have seen, so that another round follows? */
export async function isArrivalPending(place: ArrivalPlace, round: number): Promise<boolean> {
  const { state } = await readArrivalState(place);
  return state !== undefined && (state.round > round || (state.isRunning && state.isPending));
}

/**
 * Ends a round: the next one is started if anything has landed since the round's plan began. A repeated call finds its round
 * over, and only makes sure that the next one has started.
 * @throws ProblemsError ARRIVALS_INVALID; StorageError; what `start` throws
 */
export async function finishArrival(
  place: ArrivalPlace,
  round: number,
  { waitSeconds, start }: ArrivalOptions,
): Promise<void> {
  let endedRound = round;
  let isOwed = false;
  for (;;) {
    const read = await readArrivalState(place);
    const { state } = read;
    // Of a round that the document doesn't know yet, it was deleted since: a new count has begun.
    if (state === undefined || state.round < endedRound || !state.isRunning) return;
    if (state.round > endedRound) {
      await startRound(place, state, start);
      return;
    }
    if (!state.isPending && !isOwed) {
      if (await replaceArrivalState(place, read, { ...state, isRunning: false })) return;
      continue;
    }
    const next = { round: state.round + 1, waitSeconds, isRunning: true, isBegun: false, isPending: false };
    if (!(await replaceArrivalState(place, read, next))) continue;
    if ((await startRound(place, next, start)) === 'running') return;
    // The name is taken by a run of a count that was deleted: this round can't run, and the next one is tried.
    endedRound = next.round;
    isOwed = true;
  }
}
