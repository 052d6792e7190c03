import { labelsOf, trainedNetwork } from '../bundle/bundleManifest.ts';
import type { ModelBundle } from '../bundle/loadBundle.ts';
import { type ChangeRows, scoreEncodedRows } from '../bundle/scoreEncodedRows.ts';
import { ScoringSession } from '../bundle/scoringSession.ts';
import { columnRequirements } from '../features/columnRequirements.ts';
import { allocateEncodedRows, type EncodedRows } from '../features/encodedRows.ts';
import { FeatureEncoder } from '../features/featureEncoder.ts';
import { labelRequirements, readLabels } from '../features/readLabels.ts';
import { withShard } from '../parquet/openShard.ts';
import type { TaskScores } from '../profile/scoreReferences.ts';
import { labelMaturity } from '../recipe/labelMaturity.ts';
import { type DataSplit, readShardRows, type ShardRows } from '../recipe/splitShards.ts';
import { type SplitSides, splitSides } from '../recipe/splitSides.ts';
import { recordedSplit } from '../recipe/trainingConfig.ts';
import { listShards } from '../storage/listShards.ts';

/** Rows of labelled shards. */
export interface LabelledRows {
  /** What a page calls them. */
  readonly name: string;
  readonly shards: readonly ShardRows[];
  /** As in `DataSplit`: clicks that are too young for their conversion by it have none that is known. */
  readonly newestDay?: string | undefined;
  /** The model's checkpoint was chosen on them. */
  readonly isChosenOn: boolean;
  /** Where rows that it was trained on may be among them, and can be told by their days. */
  readonly sides?: SplitSides | undefined;
}

/** Every row of the shards at a URI. */
async function allRowsAt(dataUri: string, { uri: bundleUri, manifest }: ModelBundle): Promise<LabelledRows> {
  const found = (await listShards(dataUri)).shards;
  // Of a model that was trained elsewhere nobody knows on which rows.
  const sides =
    trainedNetwork(manifest) === undefined
      ? undefined
      : splitSides(recordedSplit(manifest.training.config, bundleUri), found);
  const shards: ShardRows[] = [];
  for (const shard of found) {
    const { uri, sizeBytes, version } = shard;
    const listed = { sizeBytes, version };
    const rowEnd = await withShard(uri, listed, ({ rowCount }) => rowCount);
    shards.push({ uri, rowStart: 0, rowEnd, day: sides?.dayOf(shard), listed });
  }
  return { name: dataUri, shards, isChosenOn: false, sides };
}

/** What a training's own report measures: the report rows of its split, or else the validation rows. */
export function rowsToMeasure({
  uri,
  report,
  reportText,
  validation,
  validationText,
  newestDay,
}: DataSplit): LabelledRows {
  const isChosenOn = report.length === 0;
  return {
    name: `${isChosenOn ? validationText : reportText} of ${uri}`,
    shards: isChosenOn ? validation : report,
    ...{ newestDay, isChosenOn },
  };
}

/** Encoded rows with their labels, all of one length. */
export interface LabelledSample {
  readonly from: LabelledRows;
  readonly rowCount: number;
  /** Of the shards that it was taken from. */
  readonly dataRows: number;
  readonly rows: EncodedRows;
  /** As `Labels`. */
  readonly click: Uint8Array;
  readonly conversion: Float32Array;
  /** Of every row; YYYY-MM-DD where it is known. */
  readonly days: readonly (string | undefined)[];
}

/**
 * Some of labelled rows at equal distances over all of them, encoded as scoring would.
 * @param source the rows, or a URI of shards
 * @param mostRows that are taken, at most
 * @throws Ncs4cvrError of a shard that can't be read or encoded, or whose labels can't be used
 */
export async function labelledSample(
  bundle: ModelBundle,
  source: LabelledRows | string,
  mostRows: number,
): Promise<LabelledSample> {
  const { uri: bundleUri, contract, vocabularies, layout, manifest } = bundle;
  const labels = labelsOf(bundleUri, manifest);
  const from = typeof source === 'string' ? await allRowsAt(source, bundle) : source;
  const dataRows = from.shards.reduce((sum, { rowStart, rowEnd }) => sum + rowEnd - rowStart, 0);
  const isMature = labelMaturity(labels, from.newestDay);
  const rowCount = Math.min(mostRows, dataRows);
  const encoder = new FeatureEncoder(contract, vocabularies);
  const rows = allocateEncodedRows(layout, rowCount);
  const click = new Uint8Array(rowCount);
  const conversion = new Float32Array(rowCount);
  const days: (string | undefined)[] = [];
  const wanted = [...columnRequirements(contract), ...labelRequirements(labels)];
  let at = 0;
  let seen = 0;
  for await (const { batch, day, ...place } of readShardRows(from.shards, wanted)) {
    const found = readLabels(batch, labels, place, from.newestDay === undefined || isMature(day));
    for (; at < rowCount && rowAt(at, rowCount, dataRows) < seen + batch.numRows; at++) {
      const row = rowAt(at, rowCount, dataRows) - seen;
      encoder.encode(batch, row, row + 1, rows, at);
      click[at] = found.click[row]!;
      conversion[at] = found.conversion[row]!;
      days.push(day);
    }
    seen += batch.numRows;
  }
  return { from, rowCount, dataRows, rows, click, conversion, days };
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
