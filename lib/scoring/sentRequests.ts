import { sumOf } from '../base/sumOf.ts';
import type { PlannedRequest } from './planRequests.ts';
import { receivedRequest, type ScoredRequest } from './scoredRequest.ts';
import type { DecodedRowGroup } from './scoringProtocol.ts';
import { isSplit, UpcomingRequests } from './upcomingRequests.ts';
import type { WorkerPool } from './workerPool.ts';

/** Asked before a request is sent. @param waitingRows its rows and those that were sent and aren't scored yet */
export type GoOn = (request: PlannedRequest, waitingRows: number) => boolean;

export interface SendOptions {
  /** Count labels where they have been read. */
  readonly countLabels?: boolean;
  /** As in `ScoringRequest`. */
  readonly leaveOutBadRows?: boolean;
  /** Not asked about the first request; no more is sent once it said no. */
  readonly mayGoOn?: GoOn;
}

interface Sent {
  readonly rowCount: number;
  readonly scored: Promise<ScoredRequest>;
  /** Of the last request of a row group that was decoded for several. */
  readonly decoded?: Promise<DecodedRowGroup>;
}

/** A file's requests that are on their way, the oldest first. Each holds room of the pool until it is released. */
export class SentRequests {
  readonly #pool: WorkerPool;
  readonly #upcoming: UpcomingRequests;
  readonly #options: Pick<SendOptions, 'countLabels' | 'leaveOutBadRows'>;
  readonly #mayGoOn: GoOn;
  readonly #sent: Sent[] = [];
  #held = 0;
  #isFirst = true;
  /** No more is sent. */
  #isLast = false;
  #waitsForTurn = false;
  /** Of the row group that the last request sent is of. */
  #rowsLeft = 0;
  #asked: { readonly request: PlannedRequest; readonly answer: boolean } | undefined;

  constructor(
    requests: AsyncGenerator<PlannedRequest, void, undefined>,
    pool: WorkerPool,
    { countLabels = false, leaveOutBadRows = false, mayGoOn = () => true }: SendOptions,
  ) {
    this.#pool = pool;
    this.#upcoming = new UpcomingRequests(requests, pool, leaveOutBadRows);
    this.#options = {
      ...(countLabels ? { countLabels } : {}),
      ...(leaveOutBadRows ? { leaveOutBadRows } : {}),
    };
    this.#mayGoOn = mayGoOn;
  }

  /** Whether none is on its way, and none will be. */
  get isDone(): boolean {
    return this.#isLast && this.#sent.length === 0;
  }

  /** Sends as many as there is room for, one in any case. Errors are those of the request whose turn it was. */
  async sendAll(): Promise<void> {
    const { room } = this.#pool;
    const haveRoom = () => this.#sent.length === 0 || room.hasRoom;
    while (!this.#isLast && haveRoom() && (!this.#waitsForTurn || room.isTurnFree)) {
      // Before the wait, so that others don't take the same room.
      this.#held++;
      room.hold();
      const isSent = await this.#sendNext().catch((error: unknown) => {
        this.#add({ rowCount: 0, scored: Promise.reject(error) });
        return true;
      });
      if (isSent) continue;
      this.release();
      break;
    }
  }

  /**
   * The oldest one, once it is scored. It holds its room until `release`.
   * @returns undefined when `changed` comes first, unless nothing is to be sent any more
   * @throws the error of the oldest one
   */
  async takeOldest(changed: Promise<void>): Promise<ScoredRequest | undefined> {
    const [oldest] = this.#sent;
    const scored = oldest?.scored.then(() => true);
    const isScored = await (this.#isLast
      ? scored
      : Promise.race([scored ?? changed, changed.then(() => false)]));
    if (oldest === undefined || !isScored) return undefined;
    this.#sent.shift();
    // All requests of its row group have been answered.
    if (oldest.decoded !== undefined) this.#pool.room.spareColumns.give((await oldest.decoded).columns);
    return oldest.scored;
  }

  /** Gives back the room of one that was taken. */
  release(): void {
    this.#held--;
    this.#pool.room.release();
  }

  /** Waits for those on their way, and gives back the room of all. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#sent.map(({ scored }) => scored));
    this.#pool.room.release(this.#held);
    await this.#upcoming.close();
  }

  /** @returns whether there is a next one, and it may be sent now */
  async #sendNext(): Promise<boolean> {
    const request = await this.#upcoming.first();
    this.#waitsForTurn = request !== undefined && isSplit(request) && !this.#upcoming.mayDecode(request);
    if (this.#waitsForTurn) return false;
    this.#isLast ||= request === undefined || !this.#goesOn(request);
    if (request === undefined || this.#isLast) return false;
    const decoded = isSplit(request) ? this.#upcoming.decoded(request) : undefined;
    const { rowGroups, rowCount } = request;
    const { rows, reads } = rowGroups[0]!;
    this.#isFirst = false;
    this.#rowsLeft = rows === undefined ? 0 : reads.rowCount - rows.end;
    const isEnd = decoded !== undefined && this.#rowsLeft === 0;
    this.#add({ rowCount, scored: this.#score(request, decoded), ...(isEnd ? { decoded } : {}) });
    this.#upcoming.take(request, (next) => this.#goesOn(next));
    return true;
  }

  async #score(
    request: PlannedRequest,
    decoded: Promise<DecodedRowGroup> | undefined,
  ): Promise<ScoredRequest> {
    const { rowGroups } = request;
    const whole = decoded === undefined ? {} : { decoded: await decoded };
    return receivedRequest(request, await this.#pool.run({ rowGroups, ...this.#options, ...whole }));
  }

  #add(next: Sent): void {
    // Its rejection is reported when its turn comes; until then it must not count as unhandled.
    next.scored.catch(() => {
      this.#isLast = true;
    });
    this.#sent.push(next);
  }

  #goesOn(request: PlannedRequest): boolean {
    const { rowGroups, rowCount, split } = request;
    const { rows, reads } = rowGroups[0]!;
    // A file ends with a whole row group.
    if (this.#isFirst || (rows !== undefined && rows.start > 0)) return true;
    if (this.#asked?.request !== request) {
      const nextRows = split === undefined ? rowCount : reads.rowCount;
      const waitingRows = sumOf(this.#sent, (one) => one.rowCount) + this.#rowsLeft + nextRows;
      this.#asked = { request, answer: this.#mayGoOn(request, waitingRows) };
    }
    return this.#asked.answer;
  }
}
