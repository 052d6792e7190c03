import type { PlannedRequest } from './planRequests.ts';
import type { ScoredRequest } from './scoredRequest.ts';
import { type SendOptions, SentRequests } from './sentRequests.ts';
import type { WorkerPool } from './workerPool.ts';

/**
 * Has requests scored by the pool and yields them in order. A file always has one request on its way; more of them only
 * while all files of the pool together hold few, so memory grows neither with a file nor with their number. Of row groups that
 * are decoded for several requests, all files together have one and the next, or several small ones.
 * @throws the first error in the order of the requests
 */
export async function* scoredRequests(
  requests: AsyncGenerator<PlannedRequest, void, undefined>,
  pool: WorkerPool,
  options: SendOptions = {},
): AsyncGenerator<ScoredRequest, void, undefined> {
  const sent = new SentRequests(requests, pool, options);
  try {
    for (;;) {
      const changed = pool.room.changed();
      await sent.sendAll();
      if (sent.isDone) return;
      // Others may make room, or end their turn, before it is scored.
      const scored = await sent.takeOldest(changed);
      if (scored === undefined) continue;
      yield scored;
      sent.release();
    }
  } finally {
    await sent.close();
  }
}
