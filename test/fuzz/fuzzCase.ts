/** How a mutant ended. All but a failure are as promised. */
export type Outcome =
  /** By an error with a code that names the file. */
  | { readonly kind: 'refused'; readonly code: string }
  /** What was read is what the bytes without damage give. */
  | { readonly kind: 'equal' }
  /** Something else was read, and nothing in the bytes could have told: where the damage is. */
  | { readonly kind: 'otherValues'; readonly where: string }
  | { readonly kind: 'failed'; readonly reason: string };

/** One mutant, and how to try it. */
export interface FuzzCase {
  /** What was damaged and how, for the report of a failure. */
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly run: () => Promise<Outcome>;
}

/** Makes the case of a number: the same number gives the same case, alone or in any order. */
export type CaseOf = (index: number) => FuzzCase;

/** What is tried. `prepare` makes what the mutants are made of; its files go to `folder`. */
export interface FuzzTarget {
  readonly name: string;
  readonly prepare: (folder: string, seed: number) => Promise<CaseOf>;
}
