import { z } from 'zod';
import type { GateAction, GateSettings } from '../job/gateSettings.ts';

/** The name of a gate is its key in the job document. */
export type GateName = keyof GateSettings;

export const verdictSchema = z.strictObject({
  /** Its key in the job document. */
  gate: z.string(),
  /** A feature, score or slice; empty where the partition as a whole is meant. */
  subject: z.string(),
  verdict: z.enum(['pass', 'warn', 'block', 'skipped']),
  /** Null where nothing was measured. */
  found: z.number().nullable(),
  /** That it may reach; null where there is none. */
  bound: z.number().nullable(),
  /** What it was compared with, such as `dt=2022-05-05` or `the model's validation rows`. */
  against: z.string(),
  /** A sentence. */
  reason: z.string(),
  /** What a reason shortens, whole. */
  examples: z.array(z.string()).readonly().optional(),
});
/** The result of one check of a partition before it is published. */
export type Verdict = Readonly<z.infer<typeof verdictSchema>>;

/** What a gate has measured, before the job says what follows from it. */
export interface Measurement {
  readonly subject: string;
  readonly found: number;
  readonly bound: number;
  readonly isWithin: boolean;
  readonly against: string;
  readonly reason: string;
  readonly examples?: readonly string[];
  /** The hardest verdict that it may lead to, `block` by default: where the yardstick is a weak one. */
  readonly atMost?: 'warn';
}

export function verdictOf(gate: GateName, action: GateAction, measured: Measurement): Verdict {
  const { subject, found, bound, isWithin, against, reason, examples, atMost } = measured;
  const harm = action === 'block' && atMost === undefined ? 'block' : 'warn';
  const verdict = isWithin ? 'pass' : harm;
  return {
    ...{ gate, subject, verdict, found: rounded(found), bound: rounded(bound), against, reason },
    ...(examples === undefined ? {} : { examples }),
  };
}

export function skipped(gate: GateName, subject: string, against: string, reason: string): Verdict {
  return { gate, subject, verdict: 'skipped', found: null, bound: null, against, reason };
}

/** A verdict in one line, for whoever has to act on it. */
export function describeVerdict({ gate, subject, found, bound, against, reason }: Verdict): string {
  const what = subject === '' ? gate : `${gate} of ${subject}`;
  const numbers = found === null ? '' : ` (found ${found}, bound ${bound}`;
  const place = against === '' ? '' : `${numbers === '' ? ' (' : ', '}against ${against}`;
  const details = `${numbers}${place}`;
  return `${what}: ${reason}${details === '' ? '' : `${details})`}`;
}

/** Six digits are enough for a reader, and the verdict was made with all of them. */
function rounded(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(6)) : null;
}
