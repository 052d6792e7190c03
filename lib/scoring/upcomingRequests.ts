import { allOrFirstError } from '../base/allOrFirstError.ts';
import type { PlannedRequest, SplitRowGroup } from './planRequests.ts';
import type { Turn } from './poolRoom.ts';
import type { DecodedRowGroup } from './scoringProtocol.ts';
import type { WorkerPool } from './workerPool.ts';

/** A row group that is decoded once, for several requests. */
interface DecodedOnce {
  readonly decoded: Promise<DecodedRowGroup>;
  readonly turn: Turn;
}

/** Tells row groups apart, for threads that keep the columns of one. */
let decodedRowGroups = 0;

/** A request of a row group that is decoded for several. */
type SplitRequest = PlannedRequest & Required<Pick<PlannedRequest, 'split'>>;

export function isSplit(request: PlannedRequest): request is SplitRequest {
  return request.split !== undefined;
}

/** A file's requests in their order, and its row groups that are decoded for several of them. */
export class UpcomingRequests {
  readonly #requests: AsyncGenerator<PlannedRequest, void, undefined>;
  readonly #pool: WorkerPool;
  readonly #leaveOutBadRows: boolean;
  /** Not taken yet. */
  readonly #asked: Promise<PlannedRequest | undefined>[] = [];
  /** Until their last request is taken. */
  readonly #splits = new Map<SplitRowGroup, DecodedOnce>();
  #isClosed = false;

  constructor(
    requests: AsyncGenerator<PlannedRequest, void, undefined>,
    pool: WorkerPool,
    leaveOutBadRows: boolean,
  ) {
    this.#requests = requests;
    this.#pool = pool;
    this.#leaveOutBadRows = leaveOutBadRows;
  }

  /** The next request, until it is taken; undefined when there is none. @throws the error of planning it */
  first(): Promise<PlannedRequest | undefined> {
    return this.#at(0);
  }

  /** Whether the request's row group has its turn, or may take one. */
  mayDecode({ split }: SplitRequest): boolean {
    return this.#splits.has(split) || this.#pool.room.isTurnFree;
  }

  /** Of the request's row group. To be called when it may be decoded. */
  decoded({ split, rowGroups, rowCount }: SplitRequest): Promise<DecodedRowGroup> {
    const own = this.#splits.get(split);
    if (own !== undefined) return own.decoded;
    const turn = this.#pool.room.takeTurn(Math.ceil(rowGroups[0]!.reads.rowCount / rowCount));
    const decoded = this.#decode(split);
    // Reported by the requests that need it.
    decoded.catch(() => undefined);
    this.#splits.set(split, { decoded, turn });
    return decoded;
  }

  /**
   * Takes the first request off.
   * @param mayBegin asked about the next row group that is decoded for several requests, once it is known and may be decoded
   */
  take({ split, rowGroups, rowCount }: PlannedRequest, mayBegin: (next: PlannedRequest) => boolean): void {
    this.#asked.shift();
    if (split === undefined) return;
    const [{ rows, reads }] = rowGroups as [PlannedRequest['rowGroups'][0]];
    const left = Math.ceil((reads.rowCount - rows!.end) / rowCount);
    const { turn } = this.#splits.get(split)!;
    if (left === 0) this.#splits.delete(split);
    turn.sent();
    if (!this.#pool.room.isTurnFree) return;
    const begin = (next: PlannedRequest | undefined) => {
      if (this.#isClosed || next === undefined || !isSplit(next)) return;
      if (this.mayDecode(next) && mayBegin(next)) this.decoded(next);
    };
    // Reported when the request's turn comes.
    this.#at(left).then(begin, () => undefined);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const splits = [...this.#splits.values()];
    await Promise.allSettled(splits.map(({ decoded }) => decoded));
    for (const { turn } of splits) turn.end();
    await this.#requests.return();
  }

  #at(index: number): Promise<PlannedRequest | undefined> {
    while (this.#asked.length <= index) {
      const asked = this.#requests.next().then(({ value }) => value ?? undefined);
      asked.catch(() => undefined);
      this.#asked.push(asked);
    }
    return this.#asked[index]!;
  }

  /** @throws the error of the first columns at fault */
  async #decode({ columnRuns }: SplitRowGroup): Promise<DecodedRowGroup> {
    const options = this.#leaveOutBadRows ? { leaveOutBadRows: true } : {};
    const decoded = await allOrFirstError(
      columnRuns.map((rowGroup) => {
        const names = rowGroup.reads.columns.map(({ column }) => column.name);
        return this.#pool.decode({ rowGroup, spare: this.#pool.room.spareColumns.take(names), ...options });
      }),
    );
    return {
      id: decodedRowGroups++,
      columns: new Map(decoded.flatMap(({ columns }) => [...columns])),
      encoded: new Map(decoded.flatMap(({ encoded }) => [...encoded])),
      badCells: decoded.flatMap(({ badCells }) => badCells),
    };
  }
}
