import { Ncs4cvrError } from '../base/errors.ts';
import { SCORE_NAMES, type ScoreName } from '../base/tasks.ts';
import { loadBundle, type ModelBundle } from '../bundle/loadBundle.ts';
import { ScoringSession } from '../bundle/scoringSession.ts';
import { FeatureEncoder } from '../features/featureEncoder.ts';
import { readAudit } from '../publish/audit.ts';
import type { FoundState } from '../publish/findState.ts';
import { type ModelIdentity, modelIdentity, refuseOtherModel } from '../publish/modelIdentity.ts';
import { below } from '../publish/outputLayout.ts';
import type { Publication } from '../publish/pointer.ts';
import { columnsToRead } from '../scoring/planRequests.ts';
import { storageFor } from '../storage/openStorage.ts';
import { type AblatedFeature, ablateFeatures } from './ablateFeatures.ts';
import { type DescribedInput, describeInputs } from './describeInputs.ts';
import { findScoredRow, type WantedKeys } from './findScoredRow.ts';
import { findShardRow, type ShardPlace, type ShardRow } from './findShardRow.ts';

export type RowScores = Readonly<Record<ScoreName, number>>;

export interface ExplainOptions {
  /** Also score the row without each feature. */
  readonly why: boolean;
  /** Where the model's bundle is; where the publication says by default. */
  readonly modelUri?: string;
}

/** Where a published row's scores come from. */
export interface Explanation {
  readonly keys: Readonly<Record<string, string | null>>;
  /** Rows of the partition that have the keys asked for: more than one where keys repeat, or not all were given. */
  readonly matches: number;
  readonly scores: RowScores;
  readonly publication: {
    readonly partition: string;
    readonly model: ModelIdentity;
    readonly modelUri: string;
    readonly manifest: string;
    readonly isCurrent: boolean;
    /** Of the pointer now: the state has been published by it, or by an earlier one. */
    readonly generation: number;
    /** Path below the root, and what the document says. */
    readonly auditPath: string;
    readonly audit: Awaited<ReturnType<typeof readAudit>>;
  };
  /** `row` is counted from the part's first one. */
  readonly part: {
    readonly uri: string;
    readonly partId: string;
    readonly row: number;
    readonly rows: number;
  };
  /** The row in its shard, scored again; or why that can't be done any more. */
  readonly source: RescoredRow | { readonly gone: string };
}

export interface RescoredRow {
  readonly shard: ShardPlace;
  readonly inputs: readonly DescribedInput[];
  readonly scores: RowScores;
  /** Whether every score has the bits that were published. */
  readonly isSame: boolean;
  /** Only where it was asked for; the largest change first. */
  readonly why?: readonly AblatedFeature[];
}

/**
 * Finds a published row by its keys and follows it back: to its part, its shard, its values and what the model was given, and
 * scores it again from the version of the shard that was scored.
 * @throws Ncs4cvrError EXPLAIN_NO_ROW, EXPLAIN_KEY_INVALID; EXPLAIN_UNPUBLISHED for a state that no pointer names;
 * PLAN_OTHER_MODEL when the bundle isn't the model any more
 */
export async function explainRow(
  state: FoundState,
  wanted: WantedKeys,
  { why, modelUri }: ExplainOptions,
): Promise<Explanation> {
  const { root, partition, manifest, publication } = state;
  if (publication === undefined) throw unpublished(state);
  const { found, matches } = await findScoredRow(state, wanted);
  const part = manifest.parts[found.part]!;
  const bundle = await bundleOf(publication, modelUri);
  const audit = await readAudit(root, publication.audit);
  const source = await findShardRow(part, audit.inputUri, found, (shard) =>
    columnsToRead(shard, bundle.contract),
  );
  return {
    keys: found.keys,
    matches,
    scores: scoresOf(found.scores),
    publication: {
      partition,
      model: manifest.model,
      modelUri: bundle.uri,
      manifest: publication.manifest,
      isCurrent: state.isCurrent,
      generation: state.generation,
      auditPath: publication.audit,
      audit,
    },
    part: { uri: below(root, part.path), partId: part.partId, row: found.row, rows: part.scoredRows },
    source: 'gone' in source ? source : await scoredAgain(source, found.scores, bundle, why),
  };
}

function unpublished({ root, sha256 }: FoundState): Ncs4cvrError {
  return new Ncs4cvrError('EXPLAIN_UNPUBLISHED', 'no pointer names this state, nor where its input is', {
    file: root,
    expected: 'a state that is visible, or was',
    found: sha256,
  });
}

async function bundleOf(
  { modelUri, model }: Publication,
  elsewhere: string | undefined,
): Promise<ModelBundle> {
  const uri = elsewhere ?? modelUri;
  const bundle = await loadBundle(storageFor(uri), uri);
  refuseOtherModel(uri, modelIdentity(bundle), model);
  return bundle;
}

async function scoredAgain(
  { place, batch, row }: ShardRow,
  published: Float32Array,
  { contract, vocabularies, model }: ModelBundle,
  why: boolean,
): Promise<RescoredRow> {
  const encoder = new FeatureEncoder(contract, vocabularies);
  const session = await ScoringSession.create(model, encoder.layout);
  try {
    const inputs = describeInputs(contract, encoder, batch, row, session.rows);
    const batchScores = await session.score(1);
    const again = Float32Array.from(SCORE_NAMES, (name) => batchScores[name][0]!);
    const scores = scoresOf(again);
    return {
      shard: place,
      inputs,
      scores,
      isSame: Buffer.compare(Buffer.from(again.buffer), Buffer.from(published.buffer)) === 0,
      ...(why ? { why: await ablateFeatures(encoder, session, batch, row, scores) } : {}),
    };
  } finally {
    await session.release();
  }
}

function scoresOf(values: Float32Array): RowScores {
  const [pctr, pcvr, pctcvr] = values;
  return { pctr: pctr!, pcvr: pcvr!, pctcvr: pctcvr! };
}
