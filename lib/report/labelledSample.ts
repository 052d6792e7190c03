import type { ModelBundle } from '../bundle/loadBundle.ts';
import { SCORING_BATCH_ROWS, ScoringSession } from '../bundle/scoringSession.ts';
import { columnRequirements } from '../features/columnRequirements.ts';
import { allocateEncodedRows, type EncodedRows, sliceEncodedRows } from '../features/encodedRows.ts';
import { FeatureEncoder } from '../features/featureEncoder.ts';
import { labelRequirements, readLabels } from '../features/readLabels.ts';
import { openShard } from '../parquet/openShard.ts';
import { readShardRows } from '../recipe/splitShards.ts';
import { listShards } from '../storage/listShards.ts';
import { storageFor } from '../storage/openStorage.ts';

/** Encoded rows with their labels, all of one length. */
export interface LabelledSample {
  readonly rowCount: number;
  /** Of the shards that it was taken from. */
  readonly dataRows: number;
  readonly rows: EncodedRows;
  /** As `Labels`. */
  readonly click: Uint8Array;
  readonly conversion: Float32Array;
}

/**
 * Rows of labelled shards at equal distances over all of them, encoded as scoring would.
 * @param mostRows that are taken, at most
 * @throws Ncs4cvrError of a shard that can't be read or encoded, or whose labels can't be used
 */
export async function labelledSample(
  { contract, vocabularies, layout, manifest }: ModelBundle,
  dataUri: string,
  mostRows: number,
): Promise<LabelledSample> {
  const { labels } = manifest;
  const { shards } = await listShards(dataUri);
  let dataRows = 0;
  for (const { uri } of shards) dataRows += await rowCountOf(uri);
  const rowCount = Math.min(mostRows, dataRows);
  const encoder = new FeatureEncoder(contract, vocabularies);
  const rows = allocateEncodedRows(layout, rowCount);
  const click = new Uint8Array(rowCount);
  const conversion = new Float32Array(rowCount);
  const wanted = [...columnRequirements(contract), ...labelRequirements(labels)];
  const all = shards.map(({ uri }) => ({ uri, rowStart: 0, rowEnd: Number.POSITIVE_INFINITY }));
  let at = 0;
  let seen = 0;
  for await (const { batch, ...place } of readShardRows(all, wanted)) {
    const found = readLabels(batch, labels, place);
    for (; at < rowCount && rowAt(at, rowCount, dataRows) < seen + batch.numRows; at++) {
      const row = rowAt(at, rowCount, dataRows) - seen;
      encoder.encode(batch, row, row + 1, rows, at);
      click[at] = found.click[row]!;
      conversion[at] = found.conversion[row]!;
    }
    seen += batch.numRows;
  }
  return { rowCount, dataRows, rows, click, conversion };
}

function rowAt(place: number, rowCount: number, dataRows: number): number {
  return Math.floor((place * dataRows) / rowCount);
}

async function rowCountOf(uri: string): Promise<number> {
  const file = await storageFor(uri).open(uri);
  try {
    return (await openShard(file)).rowGroups.reduce((sum, { rowCount }) => sum + rowCount, 0);
  } finally {
    await file.close();
  }
}

/** Changes some of the rows that are about to be scored. @param at place of their first one in the sample */
export type ChangeRows = (rows: EncodedRows, at: number, count: number) => void;

/** The two scores of every row of a sample, float32 [rowCount]. */
export interface SampleScores {
  readonly pctr: Float32Array;
  readonly pcvr: Float32Array;
}

/** Scores a sample as often as somebody asks, with rows as they are or changed. */
export class SampleScorer {
  readonly #session: ScoringSession;
  readonly #bundle: ModelBundle;
  readonly #sample: LabelledSample;

  private constructor(session: ScoringSession, bundle: ModelBundle, sample: LabelledSample) {
    this.#session = session;
    this.#bundle = bundle;
    this.#sample = sample;
  }

  static async create(bundle: ModelBundle, sample: LabelledSample): Promise<SampleScorer> {
    return new SampleScorer(await ScoringSession.create(bundle.model, bundle.layout), bundle, sample);
  }

  async score(change: ChangeRows = () => {}): Promise<SampleScores> {
    const { rowCount, rows } = this.#sample;
    const into = this.#session.rows;
    const scores = { pctr: new Float32Array(rowCount), pcvr: new Float32Array(rowCount) };
    for (let at = 0; at < rowCount; at += SCORING_BATCH_ROWS) {
      const count = Math.min(SCORING_BATCH_ROWS, rowCount - at);
      const from = sliceEncodedRows(this.#bundle.layout, rows, at, at + count);
      into.singleRows.set(from.singleRows);
      into.listRows.set(from.listRows);
      into.listWeights.set(from.listWeights);
      into.dense.set(from.dense);
      change(into, at, count);
      const { pctr, pcvr } = await this.#session.score(count);
      scores.pctr.set(pctr, at);
      scores.pcvr.set(pcvr, at);
    }
    return scores;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}
