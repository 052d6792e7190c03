import { allOrFirstError } from '../base/allOrFirstError.ts';
import type { PlannedRequest, SplitRowGroup } from './planRequests.ts';
import type { EndTurn } from './poolRoom.ts';
import type { DecodedRowGroup } from './scoringProtocol.ts';
import type { WorkerPool } from './workerPool.ts';

/** A row group that is decoded once, for the requests of its turn. */
interface Turn {
  readonly decoded: Promise<DecodedRowGroup>;
  readonly end: EndTurn;
}

/** Requests per thread that are still to be sent when the next row group's turn begins: its columns take as long as they do. */
const AHEAD_PER_THREAD = 2;

/** Tells row groups apart, for threads that keep the columns of one. */
let decodedRowGroups = 0;

/** A file's requests in their order, and the turns of its row groups that are decoded for several of them. */
export class UpcomingRequests {
  readonly #requests: AsyncGenerator<PlannedRequest, void, undefined>;
  readonly #pool: WorkerPool;
  readonly #leaveOutBadRows: boolean;
  /** Not taken yet. */
  readonly #asked: Promise<PlannedRequest | undefined>[] = [];
  readonly #turns = new Map<SplitRowGroup, Turn>();
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

  /** Undefined while the turn is that of another file's row group. */
  decoded(split: SplitRowGroup): Promise<DecodedRowGroup> | undefined {
    const own = this.#turns.get(split);
    if (own !== undefined) return own.decoded;
    const end = this.#pool.room.takeTurn();
    if (end === undefined) return undefined;
    const decoded = this.#decode(split);
    // Reported by the requests that need it.
    decoded.catch(() => undefined);
    this.#turns.set(split, { decoded, end });
    return decoded;
  }

  /**
   * Takes the first request off.
   * @param mayBegin asked about the next row group that is decoded for several requests, once it is known
   */
  take({ split, rowGroups, rowCount }: PlannedRequest, mayBegin: (next: PlannedRequest) => boolean): void {
    this.#asked.shift();
    if (split === undefined) return;
    const [{ rows, reads }] = rowGroups as [PlannedRequest['rowGroups'][0]];
    const left = Math.ceil((reads.rowCount - rows!.end) / rowCount);
    const turn = this.#turns.get(split)!;
    if (left === 0) this.#turns.delete(split);
    if (left > AHEAD_PER_THREAD * this.#pool.size) return;
    turn.end();
    const begin = (next: PlannedRequest | undefined) => {
      if (!this.#isClosed && next?.split !== undefined && mayBegin(next)) this.decoded(next.split);
    };
    // Reported when the request's turn comes.
    this.#at(left).then(begin, () => undefined);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const turns = [...this.#turns.values()];
    await Promise.allSettled(turns.map(({ decoded }) => decoded));
    for (const { end } of turns) end();
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
      columnRuns.map((rowGroup) => this.#pool.decode({ rowGroup, ...options })),
    );
    return {
      id: decodedRowGroups++,
      columns: new Map(decoded.flatMap(({ columns }) => [...columns])),
      encoded: new Map(decoded.flatMap(({ encoded }) => [...encoded])),
      badCells: decoded.flatMap(({ badCells }) => badCells),
    };
  }
}
