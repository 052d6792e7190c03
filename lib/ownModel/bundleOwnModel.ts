import { CODE_VERSION } from '../base/codeVersion.ts';
import { sha256 } from '../base/digest.ts';
import type { OwnNetwork } from '../bundle/bundleManifest.ts';
import type { DirectInput } from '../bundle/directInput.ts';
import { GATHERED_KEY, gatheredDigest } from '../bundle/gatherPlan.ts';
import { loadBundle, type ModelBundle } from '../bundle/loadBundle.ts';
import { encodeGoldenRows, refuseExisting, refuseUnwritable, writeBundle } from '../bundle/writeBundle.ts';
import { contractFingerprint, featureName } from '../features/contract.ts';
import { featureLayout } from '../features/featureLayout.ts';
import type { FittedContract } from '../features/fitContract.ts';
import { type FunnelReport, funnelReport } from '../metrics/funnelMetrics.ts';
import { appendMetadata, decodeModel } from '../onnx/modelProto.ts';
import type { ModelProto } from '../onnx/onnxSchema.ts';
import { buildReference } from '../recipe/buildReference.ts';
import { labelsRecord, rowsRecord } from '../recipe/encodeData.ts';
import type { ShardInput } from '../storage/listShards.ts';
import { storageFor } from '../storage/openStorage.ts';
import { fileName } from '../storage/uri.ts';
import { describeRows } from './describeRows.ts';
import { directPlan } from './directPlan.ts';
import type { OwnModelConfig } from './ownModelConfig.ts';
import { OwnScores } from './ownScores.ts';
import { readOnnxFile } from './readOnnxFile.ts';

export interface OwnModel {
  /** URI of the ONNX file. */
  readonly onnxUri: string;
  /** What it was trained with, see readOwnContract. */
  readonly fitted: FittedContract;
  readonly config: OwnModelConfig;
}

export interface BundledModel {
  readonly bundle: ModelBundle;
  /** On the rows that the reference compares with; undefined where no labels are named. */
  readonly metrics: FunnelReport | undefined;
  /** What was found otherwise than one may expect. */
  readonly notes: readonly string[];
}

/**
 * Makes a bundle of an ONNX file that was trained elsewhere: its inputs are matched with the contract, its scores of the data's rows
 * checked, and golden rows and a reference made of them, so that it is scored, gated and published as any other model. The file's
 * bytes stay as they are, with one more entry of metadata behind them; weights in files beside it are taken into it.
 * @param input shards with the contract's columns, such as the last days that the model was trained on
 * @param onStage is told what is done next
 * @throws Ncs4cvrError GRAPH_UNREADABLE, GRAPH_TOO_LARGE, GRAPH_INVALID, MODEL_RUN_FAILED, MODEL_SCORES_INVALID, MODEL_ROWS_DEPENDENT, BUNDLE_EXISTS,
 *   and as describeRows; ProblemsError MODEL_INTERFACE
 */
export async function bundleOwnModel(
  { onnxUri, fitted, config }: OwnModel,
  input: ShardInput,
  outputUri: string,
  onStage: (stage: 'encoding' | 'scoring' | 'writing') => void = () => {},
): Promise<BundledModel> {
  const startMillis = performance.now();
  await refuseExisting(outputUri);
  const { bytes: fileBytes, dataFiles } = await readOnnxFile(onnxUri);
  const decoded = decodeModel(fileBytes, onnxUri);
  const layout = featureLayout(fitted.contract);
  const inputs = directPlan(decoded, layout, config, onnxUri);
  const modelBytes = appendMetadata(fileBytes, GATHERED_KEY, gatheredDigest(inputs, {}, layout));
  const model = { modelBytes, inputs, tables: [] };
  const scorer = await OwnScores.create(model, layout, onnxUri);
  try {
    await refuseUnwritable(outputUri);
    onStage('encoding');
    const rows = await describeRows(input, fitted, config);
    const { split, validationSet, goldenRows, labelCounts } = rows;
    onStage('scoring');
    const scores = await scorer.of(validationSet.rows, validationSet.rowCount);
    await scorer.refuseDependent(validationSet.rows, validationSet.rowCount, scores);
    const reference = await buildReference(rows, config.slices, (set, chosen) => {
      if (chosen !== undefined) return scorer.ofChosen(set.rows, chosen);
      return set === validationSet ? Promise.resolve(scores) : scorer.of(set.rows, set.rowCount);
    });
    const metrics = config.labels && funnelReport({ ...validationSet, ...scores });
    const notes = [
      ...split.notes,
      ...rows.notes,
      ...unreadFeatures(fitted, inputs),
      ...(dataFiles.length === 0 ? [] : [`weights of ${dataFiles.join(', ')} were taken into the model`]),
    ];
    onStage('writing');
    await writeBundle(
      outputUri,
      {
        modelVersion: config.modelVersion,
        contractFingerprint: contractFingerprint(fitted.contract),
        inputs,
        network: ownNetwork(decoded, fileBytes, onnxUri),
        ...(config.labels === undefined ? {} : { labels: config.labels }),
        training: {
          ...rowsRecord(rows),
          seed: 0,
          config: { ...config },
          metrics: metrics === undefined ? {} : { validation: metrics },
          features: [...rows.featureCounts],
          ...(labelCounts === undefined ? {} : { labels: labelsRecord({ labelCounts, split }) }),
          notes,
          codeVersion: CODE_VERSION,
          finishedAt: new Date().toISOString(),
          seconds: (performance.now() - startMillis) / 1000,
        },
        contract: fitted.contract,
      },
      {
        model,
        vocabularies: fitted.vocabularies,
        goldenBytes: encodeGoldenRows(goldenRows, {
          pctr: scores.pctr.slice(0, goldenRows.numRows),
          pcvr: scores.pcvr.slice(0, goldenRows.numRows),
        }),
        reference,
      },
    );
    return { bundle: await loadBundle(storageFor(outputUri), outputUri), metrics, notes };
  } finally {
    await scorer.release();
  }
}

function ownNetwork(
  { producerName, opsetImport }: ModelProto,
  bytes: Uint8Array,
  onnxUri: string,
): OwnNetwork {
  const standard = opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx');
  return {
    kind: 'own',
    file: fileName(onnxUri),
    producer: producerName || 'an unnamed producer',
    opset: standard?.version ?? 0,
    sizeBytes: bytes.length,
    sha256: sha256(bytes),
  };
}

/** The columns of such a feature are read from every shard for nothing. */
function unreadFeatures({ contract }: FittedContract, inputs: readonly DirectInput[]): string[] {
  const read = new Set(inputs.flatMap(({ values }) => values.map(({ feature }) => feature)));
  const unread = contract.features.map(featureName).filter((name) => !read.has(name));
  return unread.length === 0 ? [] : [`the model reads nothing of ${unread.join(', ')}`];
}
