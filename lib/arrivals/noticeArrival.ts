import { type StartExecution, startRound } from './arrivalRun.ts';
import { type ArrivalPlace, readArrivalState, replaceArrivalState } from './arrivalState.ts';

export interface ArrivalOptions {
  /** That a run waits for what else lands, before it plans. */
  readonly waitSeconds: number;
  readonly start: StartExecution;
}

/**
 * Sees to it that a run of a partition plans after this call has begun: one that is started here, or the one behind the run
 * that is on its way. Any number may be called at a time, and each may be killed anywhere and repeated.
 * @throws ProblemsError ARRIVALS_INVALID; StorageError; what `start` throws
 */
export async function noticeArrival(
  place: ArrivalPlace,
  { waitSeconds, start }: ArrivalOptions,
): Promise<void> {
  let firstRound: number | undefined;
  for (;;) {
    const read = await readArrivalState(place);
    const { state } = read;
    firstRound ??= state?.round ?? 0;
    if (state?.isRunning === true) {
      // A later round than the first one seen was written, and so plans, after this call had begun.
      const isCovered = state.isPending || state.round > firstRound;
      if (!isCovered && !(await replaceArrivalState(place, read, { ...state, isPending: true }))) continue;
      // Whoever has written the round may have been killed before its start.
      if ((await startRound(place, state, start)) === 'running') return;
      // It has ended without finishing, or others have gone on since: the write below tells.
    } else if (state !== undefined && state.round > firstRound) return;
    const round = (state?.round ?? 0) + 1;
    const next = { round, waitSeconds, isRunning: true, isBegun: false, isPending: false };
    if (!(await replaceArrivalState(place, read, next))) continue;
    if ((await startRound(place, next, start)) === 'running') return;
  }
}
