import { sha256 } from '../../lib/base/digest.ts';
import { isRecord } from '../../lib/base/jsonDocument.ts';
import { type FeatureContract, parseContract, type TableDefinition } from '../../lib/features/contract.ts';
import { tableOf } from '../../lib/features/featureLayout.ts';
import type { FittedContract } from '../../lib/features/fitContract.ts';
import { encodeIntVocabulary } from '../../lib/features/intVocabulary.ts';
import { places } from '../../lib/features/sortByKey.ts';
import { StringIndex } from '../../lib/features/stringIndex.ts';
import { encodeStringVocabulary } from '../../lib/features/stringVocabulary.ts';
import type { VocabularyFiles } from '../../lib/features/vocabulary.ts';

/** A vocabulary file of values in the order of their ids. */
export function vocabularyOf(type: 'int' | 'string', values: readonly string[]): Uint8Array {
  const order = places(values.length);
  if (type === 'int') {
    return encodeIntVocabulary(new Int32Array(new BigInt64Array(values.map(BigInt)).buffer), order);
  }
  const index = new StringIndex();
  for (const value of values) {
    const bytes = new TextEncoder().encode(value);
    index.findOrAdd(bytes, 0, bytes.length);
  }
  return encodeStringVocabulary(index, order);
}

/** A contract document whose fitted vocabularies are written as lists of values, with the files that stand for them. */
export function fittedContract(document: object): FittedContract {
  const vocabularies = new Map<string, Uint8Array>();
  const replaced = replaceValues(structuredClone(document), vocabularies);
  return { contract: parseContract(replaced), vocabularies };
}

function replaceValues(value: unknown, files: Map<string, Uint8Array>): unknown {
  if (Array.isArray(value)) return value.map((each) => replaceValues(each, files));
  if (!isRecord(value)) return value;
  const { type, vocabulary } = value as { type?: 'int' | 'string'; vocabulary?: Record<string, unknown> };
  const values = (vocabulary?.fitted as { values?: string[] } | undefined)?.values;
  if (type === undefined || values === undefined) {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, replaceValues(each, files)]));
  }
  const bytes = vocabularyOf(type, values);
  const file = `vocabularies/table-${files.size}.vocab`;
  files.set(file, bytes);
  const fitted = { entries: values.length, file, sha256: sha256(bytes) };
  return { ...value, vocabulary: { ...vocabulary, fitted } };
}

/** The values of a table that a feature looks up, in the order of their ids; undefined where it hashes them. */
export function valuesOfFeature(
  { contract, vocabularies }: { readonly contract: FeatureContract; readonly vocabularies: VocabularyFiles },
  feature: FeatureContract['features'][number],
): string[] | undefined {
  if (feature.kind !== 'categorical' && feature.kind !== 'list')
    throw new Error(`${feature.column} has no ids`);
  const { definition } = tableOf(contract, feature);
  return valuesOfTable(definition, vocabularies);
}

export function valuesOfTable(
  { vocabulary }: TableDefinition,
  vocabularies: VocabularyFiles,
): string[] | undefined {
  return vocabulary && readVocabulary(vocabularies.get(vocabulary.fitted!.file)!);
}

/** Reads a vocabulary file by what vocabularyFile.ts says of the format, without any code of the library. */
export function readVocabulary(bytes: Uint8Array): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const word = (at: number) => view.getInt32(at, true);
  const layout = view.getUint32(12, true);
  const slots = view.getUint32(20, true);
  const values: string[] = [];
  for (let slot = 0; slot < slots; slot++) {
    if (layout === 1) {
      const id = word(64 + 4 * slot);
      if (id !== 0) values[id - 1] = String(word(28) + slot);
    } else if (layout === 2) {
      const id = word(64 + 12 * slot + 8);
      if (id !== 0) values[id - 1] = String(view.getBigInt64(64 + 12 * slot, true));
    } else {
      const id = word(64 + 12 * slot + 8);
      if (id === 0) continue;
      const text = 64 + 12 * slots;
      const [start, end] = [word(64 + 12 * slot + 4), word(64 + 12 * slot + 16)];
      values[id - 1] = Buffer.from(bytes.slice(text + start, text + end)).toString('utf8');
    }
  }
  return values;
}
