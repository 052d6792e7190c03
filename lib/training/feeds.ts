import type { Tensor } from 'onnxruntime-node';
import { type PerTask, TASKS, type Task } from '../base/tasks.ts';
import type { EncodedRows } from '../features/encodedRows.ts';
import { type NetworkShape, trunkLayers } from '../network/networkShape.ts';
import { checkMasks, type TaskMasks } from '../network/taskMasks.ts';
import { float32Tensor, int64Tensor } from '../onnx/session.ts';
import type { EmbeddingLayer } from './embeddingLayer.ts';
import { hasConversionLabel } from './taskLabels.ts';
import {
  CLICKED_ROWS,
  CTCVR_LABELS,
  CTCVR_WEIGHTS,
  DENSE_INPUT,
  FIELDS,
  labelsInput,
  maskInput,
  weightsInput,
} from './tensorNames.ts';
import type { TrainingSet } from './trainingSet.ts';
import type { TrainingSettings } from './trainingSettings.ts';

/** Inputs of a graph by name (tensorNames.ts). */
export type Feeds = Readonly<Record<string, Tensor>>;

/** Rows of a training set in the order that the training graph takes: those with a conversion label first. */
export interface Batch {
  readonly set: TrainingSet;
  readonly indices: Int32Array;
  /** Clicked rows whose conversion is known. */
  readonly clickedCount: number;
}

/** Reorders `indices`: clicked rows with a known conversion to the front, keeping the order on both sides. */
export function clickedFirst(set: TrainingSet, indices: Int32Array): Batch {
  const others: number[] = [];
  let clickedCount = 0;
  for (const row of indices) {
    if (hasConversionLabel(set, row)) indices[clickedCount++] = row;
    else others.push(row);
  }
  indices.set(others, clickedCount);
  return { set, indices, clickedCount };
}

/** What the network reads of the chosen rows: embeddings of their fields, and their numeric features. */
export function inputFeeds(
  layer: EmbeddingLayer,
  embeddings: Float32Array,
  rows: EncodedRows,
  indices: Int32Array,
): Feeds {
  const { length } = indices;
  const { width, fieldCount } = layer;
  const { denseWidth } = layer.layout;
  const fields = new Float32Array(length * fieldCount * width);
  layer.gather(embeddings, rows, indices, fields);
  const ofFields = fieldCount === 0 ? {} : { [FIELDS]: float32Tensor(fields, [length, fieldCount, width]) };
  if (denseWidth === 0) return ofFields;
  const dense = new Float32Array(length * denseWidth);
  let to = 0;
  for (const row of indices) {
    const end = (row + 1) * denseWidth;
    for (let from = row * denseWidth; from < end; from++) dense[to++] = rows.dense[from]!;
  }
  return { ...ofFields, [DENSE_INPUT]: float32Tensor(dense, [length, denseWidth]) };
}

/**
 * Masks that are given; none when every connection is shared.
 * @throws Ncs4cvrError MASKS_INVALID
 */
export function maskFeeds(shape: NetworkShape, masks: TaskMasks | undefined): Feeds {
  if (masks === undefined) return {};
  checkMasks(masks, shape);
  const feeds: Record<string, Tensor> = {};
  for (const [layer, widths] of trunkLayers(shape).entries()) {
    for (const task of TASKS) {
      feeds[maskInput(task, layer)] = float32Tensor(Float32Array.from(masks[task][layer]!), widths);
    }
  }
  return feeds;
}

/** Labels and weights of the losses of `tasks`, and how many rows count for each. */
export function lossFeeds(
  batch: Batch,
  tasks: readonly Task[],
  settings: TrainingSettings,
): { readonly feeds: Feeds; readonly rows: PerTask<number> } {
  const { set, indices } = batch;
  const feeds: Record<string, Tensor> = {};
  const rows = { click: 0, conversion: 0 };
  if (tasks.includes('click')) {
    rows.click = indices.length;
    feeds[labelsInput('click')] = column(Float32Array.from(indices, (row) => set.click[row]!));
    feeds[weightsInput('click')] = column(new Float32Array(indices.length).fill(1 / indices.length));
  }
  if (tasks.includes('conversion')) {
    const { labels, weights, count } = conversionTargets(batch, settings);
    rows.conversion = count;
    feeds[CLICKED_ROWS] = int64Tensor([labels.length]);
    feeds[labelsInput('conversion')] = column(labels);
    feeds[weightsInput('conversion')] = column(weights);
  }
  if (settings.entireSpace !== undefined) {
    const isKnown = (row: number) => set.click[row] === 0 || hasConversionLabel(set, row);
    const knownCount = indices.filter(isKnown).length;
    feeds[CTCVR_LABELS] = column(
      Float32Array.from(indices, (row) => (hasConversionLabel(set, row) ? set.conversion[row]! : 0)),
    );
    feeds[CTCVR_WEIGHTS] = column(Float32Array.from(indices, (row) => (isKnown(row) ? 1 / knownCount : 0)));
  }
  return { feeds, rows };
}

/** Of the clicked rows with a known conversion; at least one row goes through the conversion head, without weight when nothing was clicked. */
function conversionTargets(
  { set, indices, clickedCount }: Batch,
  { losses }: TrainingSettings,
): { readonly labels: Float32Array; readonly weights: Float32Array; readonly count: number } {
  const length = Math.max(1, clickedCount);
  const labels = new Float32Array(length);
  const weights = new Float32Array(length);
  const isOnlyPositive = losses.conversion.kind === 'maskedMse';
  let count = 0;
  for (let i = 0; i < clickedCount; i++) {
    labels[i] = set.conversion[indices[i]!]!;
    if (isOnlyPositive && labels[i] === 0) continue;
    weights[i] = 1;
    count++;
  }
  if (count > 0) for (let i = 0; i < clickedCount; i++) weights[i]! /= count;
  return { labels, weights, count };
}

function column(values: Float32Array): Tensor {
  return float32Tensor(values, [values.length, 1]);
}
