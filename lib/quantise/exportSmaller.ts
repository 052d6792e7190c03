import { CODE_VERSION } from '../base/codeVersion.ts';
import { sha256 } from '../base/digest.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { tableDigests } from '../bundle/buildScoringModel.ts';
import { type BundleManifest, modelFileOf } from '../bundle/bundleManifest.ts';
import { loadBundle, type ModelBundle } from '../bundle/loadBundle.ts';
import type { StoredElement } from '../bundle/safetensors.ts';
import { scoreEncodedRows } from '../bundle/scoreEncodedRows.ts';
import {
  type GatheredModel,
  gatheredModel,
  type ScoringModel,
  ScoringSession,
} from '../bundle/scoringSession.ts';
import { encodeGoldenRows, refuseExisting, refuseUnwritable, writeBundle } from '../bundle/writeBundle.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import type { TaskScores } from '../profile/scoreReferences.ts';
import type { ShardInput } from '../storage/listShards.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { TrainingSet } from '../training/trainingSet.ts';
import { type Accuracy, compareAccuracy, refuseInaccurate } from './accuracy.ts';
import { narrowTable } from './narrowTable.ts';
import { quantiseModel, withGatheredDigest } from './quantiseModel.ts';
import { readExportRows } from './readExportRows.ts';

/** What is to take fewer bits. */
export interface SmallerBundleOptions {
  /** Dense layers in integers. */
  readonly int8: boolean;
  /** Of the rows of embedding tables. */
  readonly tables: StoredElement;
}

export interface SmallerBundle {
  readonly bundle: ModelBundle;
  /** On the validation rows. */
  readonly accuracy: Accuracy;
}

/**
 * Writes a bundle that scores as another one with fewer bits. The layers' integers are fitted on training rows alone; a bundle
 * whose scores of the validation rows differ too much is not written.
 * @param input the data that the bundle was trained on
 * @param onStage is told what is done next
 * @throws Ncs4cvrError EXPORT_NOT_TRAINED for a bundle that was exported itself, EXPORT_NO_LAYERS, EXPORT_DATA_MISMATCH,
 *   BUNDLE_EXISTS, and as loadBundle; ProblemsError EXPORT_ACCURACY
 */
export async function exportSmaller(
  bundleUri: string,
  input: ShardInput,
  outputUri: string,
  { int8, tables }: SmallerBundleOptions,
  onStage: (stage: 'encoding' | 'narrowing' | 'scoring' | 'writing') => void = () => {},
): Promise<SmallerBundle> {
  await refuseExisting(outputUri);
  const original = await loadBundle(storageFor(bundleUri), bundleUri);
  const { manifest, layout, vocabularies, reference } = original;
  const model = gatheredModel(original.model, bundleUri);
  refuseExported(manifest, bundleUri);
  await refuseUnwritable(outputUri);
  onStage('encoding');
  const { calibration, validation, goldenRows } = await readExportRows(original, input);
  onStage('narrowing');
  const smaller = await smallerModel(model, layout, calibration, { int8, tables }, bundleUri);
  onStage('scoring');
  const before = await scoreRows(model, layout, validation);
  const after = await scoreRows(smaller, layout, validation);
  const accuracy = compareAccuracy(validation, before, after);
  refuseInaccurate(accuracy, bundleUri);

  onStage('writing');
  const { formatVersion: _format, files: _files, modelVersion, ...draft } = manifest;
  await writeBundle(
    outputUri,
    {
      ...draft,
      modelVersion: smallerVersion(modelVersion, smaller, { int8, tables }),
      inputs: smaller.inputs,
      exported: {
        from: { modelVersion, modelSha256: modelFileOf(manifest).sha256 },
        layers: int8 ? 'int8' : 'float32',
        tables,
        calibrationRows: int8 ? calibration.rowCount : 0,
        accuracy,
        codeVersion: CODE_VERSION,
        finishedAt: new Date().toISOString(),
      },
    },
    {
      model: smaller,
      vocabularies,
      goldenBytes: encodeGoldenRows(goldenRows, firstOf(after, goldenRows.numRows)),
      reference,
    },
  );
  return { bundle: await loadBundle(storageFor(outputUri), outputUri), accuracy };
}

/** @throws Ncs4cvrError EXPORT_NOT_TRAINED */
function refuseExported({ exported }: BundleManifest, bundleUri: string): void {
  if (exported === undefined) return;
  throw new Ncs4cvrError('EXPORT_NOT_TRAINED', 'rounding what was rounded loses twice', {
    file: bundleUri,
    expected: 'a bundle as it was trained',
    found: `one that was made of ${exported.from.modelVersion}`,
  });
}

/** The model in fewer bits, bound to the embeddings that it has then. @throws Ncs4cvrError EXPORT_NO_LAYERS */
async function smallerModel(
  model: GatheredModel,
  layout: FeatureLayout,
  calibration: TrainingSet,
  { int8, tables }: SmallerBundleOptions,
  bundleUri: string,
): Promise<GatheredModel> {
  const narrow = { ...model, tables: model.tables.map((table) => narrowTable(table, tables)) };
  const unbound = int8 ? await quantiseModel(narrow, layout, calibration) : narrow;
  if (unbound === undefined) {
    throw new Ncs4cvrError('EXPORT_NO_LAYERS', 'the model has no layer that integers would make faster', {
      file: bundleUri,
    });
  }
  return withGatheredDigest(unbound, tableDigests(narrow.tables), layout);
}

function smallerVersion(
  modelVersion: string,
  smaller: GatheredModel,
  { int8, tables }: SmallerBundleOptions,
): string {
  // Of a model of numbers alone there is no table to name.
  const namesTables = tables !== 'F32' && smaller.tables.length > 0;
  const suffix = [...(int8 ? ['int8'] : []), ...(namesTables ? [`tables-${tables.toLowerCase()}`] : [])];
  return [modelVersion, ...suffix, sha256(smaller.modelBytes).slice(0, 8)].join('-');
}

async function scoreRows(model: ScoringModel, layout: FeatureLayout, set: TrainingSet): Promise<TaskScores> {
  const session = await ScoringSession.create(model, layout);
  try {
    return await scoreEncodedRows(session, layout, set.rows, set.rowCount);
  } finally {
    await session.release();
  }
}

function firstOf({ pctr, pcvr }: TaskScores, rowCount: number): TaskScores {
  return { pctr: pctr.slice(0, rowCount), pcvr: pcvr.slice(0, rowCount) };
}
