import type { SerialisedError } from '../scoring/scoringProtocol.ts';

/** One arm with one seed. */
export interface ArmTask {
  readonly arm: string;
  readonly seed: number;
}

/** What a worker process is told: first the set-up, then one task after the other. */
export type WorkerOrder =
  | { readonly kind: 'setUp'; readonly config: unknown; readonly data: string; readonly output: string }
  | { readonly kind: 'run'; readonly task: ArmTask };

export type WorkerAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly task: ArmTask; readonly seconds: number }
  | { readonly kind: 'failed'; readonly error: SerialisedError };
