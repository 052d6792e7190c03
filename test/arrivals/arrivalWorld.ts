import type { ArrivalInput, StartExecution } from '../../lib/arrivals/arrivalRun.ts';
import { beginArrival, finishArrival } from '../../lib/arrivals/finishArrival.ts';
import { noticeArrival } from '../../lib/arrivals/noticeArrival.ts';
import type { RandomStream } from '../../lib/base/randomStream.ts';
import type { VersionedBytes } from '../../lib/storage/storage.ts';

/** What ends a caller in the middle of what it does. */
class Killed extends Error {}

interface Run {
  readonly name: string;
  readonly round: number;
  status: 'running' | 'ended';
  /** Has it nothing more to do on the partition, since it has finished or died? */
  isOver: boolean;
}

const PLACE = { root: 's3://scores', partition: 'dt=2022-05-06' };
const WAIT_SECONDS = 7;
/** Of the calls that begin a round. */
const LOST_SHARE = 0.3;

/**
 * Conditional writes and executions in memory, whose callers take turns in an order drawn at random: between any two of their
 * requests, any others may come. A caller dies at random before a request or after it, before it has heard of its answer.
 */
export class ArrivalWorld {
  readonly runs: Run[] = [];
  /** Turns in which a plan began, or a run died that might have had one. */
  readonly plans: number[] = [];
  /** Most runs that were at work on the partition at the same time. */
  mostAtOnce = 0;
  turn = 0;
  /** Turns in which each round was written, from round 1 on. */
  readonly written: number[] = [];
  #onRead: (() => void) | undefined;
  readonly #random: RandomStream;
  readonly #deathShare: number;
  readonly #waiting: (() => void)[] = [];
  readonly #tasks = new Set<Promise<void>>();
  #file: VersionedBytes | undefined;
  #versions = 0;

  constructor(random: RandomStream, deathShare: number) {
    this.#random = random;
    this.#deathShare = deathShare;
  }

  /** What `storageFor` gives: as much of a storage as arrivals use. */
  readonly storage = {
    readVersioned: () => {
      const onRead = this.#onRead;
      this.#onRead = undefined;
      return this.#request(() => {
        onRead?.();
        return this.#file;
      });
    },
    createIfAbsent: (_: string, bytes: Uint8Array) =>
      this.#request(() => (this.#file === undefined ? this.#write(bytes) : undefined)),
    replaceIfVersion: (_: string, bytes: Uint8Array, version: string) =>
      this.#request(() => (this.#file?.version === version ? this.#write(bytes) : undefined)),
  };

  get document(): unknown {
    return this.#file === undefined ? undefined : JSON.parse(Buffer.from(this.#file.bytes).toString());
  }

  /** Step Functions: while an execution runs, its name gives it; then the name is taken. */
  readonly start: StartExecution = (name, input) =>
    this.#request(() => {
      const { round } = this.document as { round: number };
      if (input.arrival.round > round) throw new Error(`round ${input.arrival.round} isn't written yet`);
      const former = this.runs.find((run) => run.name === name);
      if (former !== undefined) return former.status;
      const run: Run = { name, round: input.arrival.round, status: 'running', isOver: false };
      this.runs.push(run);
      this.mostAtOnce = Math.max(this.mostAtOnce, this.runs.filter(({ isOver }) => !isOver).length);
      this.#spawn(() => this.#execute(run, input));
      return 'running' as const;
    });

  /** A message that a shard has landed, delivered until it is taken. @returns the turn in which it has first read the document */
  async notice(): Promise<number> {
    await this.#turn();
    let begun = Number.POSITIVE_INFINITY;
    await this.#untilAlive(() => {
      this.#onRead = () => {
        begun = Math.min(begun, this.turn);
      };
      return noticeArrival(PLACE, { waitSeconds: WAIT_SECONDS, start: this.start });
    });
    return begun;
  }

  /** @param deliveries of it, all of which are made */
  async finish(round: number, deliveries = 1): Promise<void> {
    for (let i = 0; i < deliveries; i++) {
      await this.#untilAlive(() =>
        finishArrival(PLACE, round, { waitSeconds: WAIT_SECONDS, start: this.start }),
      );
    }
  }

  /** Lets everybody take turns until nobody has anything to do. */
  async settle(...tasks: Promise<unknown>[]): Promise<void> {
    let isOpen = true;
    const all = Promise.all(tasks).finally(() => {
      isOpen = false;
    });
    while (isOpen || this.#waiting.length > 0 || this.#tasks.size > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      const [next] = this.#waiting.splice(this.#random.nextBelow(Math.max(1, this.#waiting.length)), 1);
      this.turn++;
      next?.();
    }
    await all;
  }

  /** The state machine: waits, plans, finishes; when it dies, the status change is told of. */
  async #execute(run: Run, { arrival }: ArrivalInput): Promise<void> {
    const { round, waitSeconds } = arrival;
    if (waitSeconds !== WAIT_SECONDS) throw new Error(`waits for ${waitSeconds} s`);
    try {
      for (let waits = this.#random.nextBelow(6); waits > 0; waits--) await this.#turn();
      // A call whose answer was lost goes on beside its repetition, and after it.
      const isLost = this.#random.nextUniform() < LOST_SHARE;
      if (isLost) this.#spawn(() => this.#beginLate(round));
      await this.#untilAlive(() => beginArrival(PLACE, round));
      this.plans.push(this.turn);
      for (let steps = this.#random.nextBelow(6); steps > 0; steps--) await this.#turn();
      if (this.#dies()) throw new Killed();
      // Others may begin from the moment on in which this is written.
      run.isOver = true;
      await this.finish(round, 1 + this.#random.nextBelow(2));
      run.status = 'ended';
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      run.isOver = true;
      run.status = 'ended';
      this.plans.push(this.turn);
      await this.#turn();
      await this.finish(round);
    }
  }

  async #beginLate(round: number): Promise<void> {
    for (let waits = this.#random.nextBelow(12); waits > 0; waits--) await this.#turn();
    await this.#untilAlive(() => beginArrival(PLACE, round));
  }

  async #untilAlive(work: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof Killed)) throw error;
      }
    }
  }

  /** One request: the caller may die before it and after it. */
  async #request<T>(effect: () => T): Promise<T> {
    await this.#turn();
    if (this.#dies()) throw new Killed();
    const result = effect();
    await this.#turn();
    if (this.#dies()) throw new Killed();
    return result;
  }

  #dies(): boolean {
    return this.#random.nextUniform() < this.#deathShare;
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #spawn(work: () => Promise<void>): void {
    const task = work().finally(() => this.#tasks.delete(task));
    this.#tasks.add(task);
  }

  #write(bytes: Uint8Array): string {
    const version = String(++this.#versions);
    this.#file = { bytes, version };
    const { round } = this.document as { round: number };
    if (round > this.written.length) this.written.push(this.turn);
    return version;
  }
}
