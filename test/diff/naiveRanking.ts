/** Bits of float32 scores. */
export function bitsOf(scores: readonly number[]): Uint32Array {
  return new Uint32Array(Float32Array.from(scores).buffer);
}

/** Kendall's tau-b by its definition, pair by pair. */
export function naiveTau(
  a: readonly number[],
  b: readonly number[],
): { tau: number | null; isChanged: boolean } {
  let [concordant, discordant, untiedA, untiedB] = [0, 0, 0, 0];
  let isChanged = false;
  for (let i = 0; i < a.length; i++) {
    for (let j = i + 1; j < a.length; j++) {
      const [inA, inB] = [Math.sign(a[i]! - a[j]!), Math.sign(b[i]! - b[j]!)];
      if (inA !== 0) untiedA++;
      if (inB !== 0) untiedB++;
      if (inA * inB > 0) concordant++;
      if (inA * inB < 0) discordant++;
      if (inA !== inB) isChanged = true;
    }
  }
  const scale = Math.sqrt(untiedA * untiedB);
  return { tau: scale === 0 ? null : (concordant - discordant) / scale, isChanged };
}

/** A row of a state: its score and its place in the input. */
export interface NaiveRow {
  readonly key: string;
  readonly score: number;
}

/** Best first; equal scores stay in order. */
export function naiveOrder(rows: readonly NaiveRow[]): string[] {
  return [...rows].sort((a, b) => b.score - a.score).map(({ key }) => key);
}
