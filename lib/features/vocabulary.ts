import type { FeatureContract } from './contract.ts';
import { tableOf } from './featureLayout.ts';
import { DenseIntVocabulary, HashedIntVocabulary, type IntLookup } from './intVocabulary.ts';
import { StringVocabulary } from './stringVocabulary.ts';
import { invalidVocabulary, readVocabularyHeader } from './vocabularyFile.ts';

/** The vocabulary files of a fitted contract, by the paths that it names; shared memory, which threads get by reference. */
export type VocabularyFiles = ReadonlyMap<string, Uint8Array>;

/** What the contract says of a table's vocabulary. */
export interface ExpectedVocabulary {
  readonly type: 'int' | 'string';
  readonly entries: number;
}

interface Values {
  /** Calls back with every value, in no order that means anything. `text` makes it on demand. */
  forEachValue(callback: (rank: number, text: () => string) => void): void;
}
/**
 * Opens a vocabulary file where its bytes lie; nothing is copied, and the values aren't looked at.
 * @throws ContractError BUNDLE_VOCABULARY_INVALID when it isn't of this type and number of entries
 */
export function openVocabulary(
  bytes: Uint8Array,
  expected: ExpectedVocabulary,
): (IntLookup & Values) | StringVocabulary {
  const header = readVocabularyHeader(bytes);
  const isText = header.layout === 'text';
  if (isText !== (expected.type === 'string')) {
    throw invalidVocabulary(`${isText ? 'strings' : 'integers'} for a table of type ${expected.type}`);
  }
  if (header.entries !== expected.entries) {
    throw invalidVocabulary(`${header.entries} values, not ${expected.entries}`);
  }
  if (isText) return new StringVocabulary(bytes, header);
  return header.layout === 'dense'
    ? new DenseIntVocabulary(bytes, header)
    : new HashedIntVocabulary(bytes, header);
}

/** What a fitted contract says of its vocabularies, by their files' paths. */
export function vocabulariesOf(
  contract: FeatureContract,
): Map<string, ExpectedVocabulary & { readonly sha256: string }> {
  const tables = contract.features.flatMap((feature) =>
    feature.kind === 'categorical' || feature.kind === 'list' ? [tableOf(contract, feature).definition] : [],
  );
  return new Map(
    tables.flatMap(({ type, vocabulary }) => {
      if (vocabulary?.fitted === undefined) return [];
      const { file, entries, sha256 } = vocabulary.fitted;
      return [[file, { type, entries, sha256 }]];
    }),
  );
}

/** The values of some ids (1 and up), as text. One pass over the vocabulary, whatever their number. */
export function valuesOfIds(
  bytes: Uint8Array,
  expected: ExpectedVocabulary,
  ids: readonly number[],
): string[] {
  const wanted = new Set(ids);
  const texts = new Map<number, string>();
  openVocabulary(bytes, expected).forEachValue((rank, text) => {
    if (wanted.has(rank)) texts.set(rank, text());
  });
  return ids.map((id) => texts.get(id)!);
}
