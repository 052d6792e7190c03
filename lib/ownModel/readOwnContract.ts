import { decodeCommentedJson } from '../base/commentedJson.ts';
import { sha256 } from '../base/digest.ts';
import { ProblemsError } from '../base/errors.ts';
import { isRecord, parseDocument } from '../base/jsonDocument.ts';
import { isBundle } from '../bundle/bundleManifest.ts';
import { loadBundle } from '../bundle/loadBundle.ts';
import { type FeatureContract, featureContractSchema } from '../features/contract.ts';
import { crossCheckContract } from '../features/crossCheckContract.ts';
import { tableOf } from '../features/featureLayout.ts';
import type { FittedContract } from '../features/fitContract.ts';
import { vocabularyPath } from '../features/vocabularyFile.ts';
import { storageFor } from '../storage/openStorage.ts';
import { readDocument } from '../storage/readDocument.ts';
import { joinUri, uriScheme } from '../storage/uri.ts';
import { ownVocabulary } from './ownVocabulary.ts';

type Place = readonly ['tables', string] | readonly ['features', number];

/**
 * The contract that an own model was trained with: that of a bundle, or a document whose tables name their values in the order
 * of the model's ids (`vocabulary.values`), and whose numbers say what was learned of them (`fitted`).
 * @param uri of the document, or of a bundle's folder
 * @throws ProblemsError CONTRACT_INVALID; CONTRACT_NOT_FITTED for what the document leaves open; and as ownVocabulary, loadBundle
 */
export async function readOwnContract(uri: string): Promise<FittedContract> {
  const storage = storageFor(uri);
  if (await isBundle(storage, uri)) {
    const { contract, vocabularies } = await loadBundle(storage, uri);
    return { contract, vocabularies };
  }
  const code = 'CONTRACT_INVALID';
  const { document, sources } = takeValues(decodeCommentedJson(await readDocument(uri), { code, file: uri }));
  const contract = parseDocument(document, featureContractSchema, {
    ...{ code, summary: 'the contract is invalid', file: uri },
    crossCheck: (valid) => crossCheckContract(valid ?? document),
  });
  refuseOpen(contract, sources, uri);
  const files = new Map<string, Uint8Array>();
  for (const [place, source] of sources) {
    const { name, definition } = tableAt(contract, place);
    const values = typeof source === 'string' ? besides(uri, source) : source;
    const { entries, bytes } = await ownVocabulary(
      values,
      definition,
      typeof values === 'string' ? values : uri,
    );
    const file = vocabularyPath(name);
    files.set(file, bytes);
    definition.vocabulary!.fitted = { entries, file, sha256: sha256(bytes) };
  }
  return { contract, vocabularies: files };
}

/** The document as a contract has it, and the values that its tables name, by where they stand. */
function takeValues(document: unknown): {
  readonly document: unknown;
  readonly sources: Map<Place, unknown>;
} {
  const sources = new Map<Place, unknown>();
  const taken = structuredClone(document);
  const take = (table: unknown, place: Place) => {
    if (!isRecord(table) || !isRecord(table.vocabulary) || !('values' in table.vocabulary)) return;
    sources.set(place, table.vocabulary.values);
    delete table.vocabulary.values;
  };
  if (isRecord(taken) && isRecord(taken.tables)) {
    for (const [name, table] of Object.entries(taken.tables)) take(table, ['tables', name]);
  }
  if (isRecord(taken) && Array.isArray(taken.features)) {
    taken.features.forEach((feature, index) => {
      if (isRecord(feature)) take(feature.table, ['features', index]);
    });
  }
  return { document: taken, sources };
}

function tableAt(contract: FeatureContract, [room, key]: Place) {
  if (room === 'tables') return { name: key, definition: contract.tables[key]! };
  const feature = contract.features[key]!;
  if (feature.kind !== 'categorical' && feature.kind !== 'list') throw new TypeError(`features.${key}.table`);
  return tableOf(contract, feature);
}

/** What somebody else has learned can't be learned again: other rows give other ids. @throws ProblemsError CONTRACT_NOT_FITTED */
function refuseOpen(contract: FeatureContract, sources: ReadonlyMap<Place, unknown>, file: string): void {
  const known = new Set([...sources.keys()].map((place) => tableAt(contract, place).definition));
  const problems = contract.features.flatMap((feature, index) => {
    const path = `features.${index}`;
    if (feature.kind === 'numeric') {
      return feature.standardise && feature.fitted === undefined
        ? [`${path}: give "standardise": false, or fitted.mean and fitted.standardDeviation`]
        : [];
    }
    if (feature.kind === 'bucketed') {
      return feature.fitted === undefined ? [`${path}: give fitted.boundaries`] : [];
    }
    const { definition } = tableOf(contract, feature);
    if (definition.hash !== undefined || known.has(definition)) return [];
    const table = typeof feature.table === 'string' ? `tables.${feature.table}` : `${path}.table`;
    return [`${table}.vocabulary: give "values", a file that has them in the order of the model's ids`];
  });
  if (problems.length === 0) return;
  throw new ProblemsError(
    'CONTRACT_NOT_FITTED',
    'the contract leaves open what the model was trained with',
    [...new Set(problems)],
    { file },
  );
}

/** A path that a document names is relative to the document. */
function besides(documentUri: string, path: string): string {
  if (uriScheme(path) !== undefined || path.startsWith('/')) return path;
  const folder = documentUri.replace(/[^/]*$/, '');
  return folder === '' ? path : joinUri(folder, path);
}
