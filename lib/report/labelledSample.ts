import { labelsOf } from '../bundle/bundleManifest.ts';
import type { ModelBundle } from '../bundle/loadBundle.ts';
import { type ChangeRows, scoreEncodedRows } from '../bundle/scoreEncodedRows.ts';
import { ScoringSession } from '../bundle/scoringSession.ts';
import { columnRequirements } from '../features/columnRequirements.ts';
import { allocateEncodedRows, type EncodedRows } from '../features/encodedRows.ts';
import { FeatureEncoder } from '../features/featureEncoder.ts';
import { labelRequirements, readLabels } from '../features/readLabels.ts';
import { withShard } from '../parquet/openShard.ts';
import type { TaskScores } from '../profile/scoreReferences.ts';
import { readShardRows } from '../recipe/splitShards.ts';
import { listShards } from '../storage/listShards.ts';

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
  { uri: bundleUri, contract, vocabularies, layout, manifest }: ModelBundle,
  dataUri: string,
  mostRows: number,
): Promise<LabelledSample> {
  const labels = labelsOf(bundleUri, manifest);
  const { shards } = await listShards(dataUri);
  let dataRows = 0;
  for (const { uri } of shards) {
    dataRows += await withShard(uri, undefined, (shard) => shard.rowCount);
  }
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

  score(change?: ChangeRows): Promise<TaskScores> {
    const { rowCount, rows } = this.#sample;
    return scoreEncodedRows(this.#session, this.#bundle.layout, rows, rowCount, change);
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}
