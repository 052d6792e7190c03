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

/** Where a document was found to lead that must stay below a folder. */
export interface Led {
  readonly uri: string;
  readonly within: string;
}

/** A whole document that mutants are made of. */
export interface FuzzDocument {
  readonly name: string;
  readonly document: unknown;
  /** Where it is kept; undefined for an event, which has no file. */
  readonly file?: string;
  /** Takes the mutant in as the code that needs it does. @returns what the code would read or write by it */
  readonly take: (bytes: Uint8Array) => Promise<readonly Led[]>;
}

/** Makes the case of a number: the same number gives the same case, alone or in any order. */
export type CaseOf = (index: number) => FuzzCase;

/** What is tried. `prepare` makes what the mutants are made of; its files go to `folder`. */
export interface FuzzTarget {
  readonly name: string;
  readonly prepare: (folder: string, seed: number) => Promise<CaseOf>;
}
