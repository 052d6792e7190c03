import { RandomStream } from '../base/randomStream.ts';
import { type PerTask, TASKS } from '../base/tasks.ts';
import {
  embeddingColumns,
  headBiasName,
  type ModelWeights,
  type NetworkShape,
  type ParameterShape,
} from '../network/networkShape.ts';
import type { TrainingSettings } from './trainingSettings.ts';

/**
 * The seeded initial weights theta0: small normal embeddings, a truncated normal trunk, uniform heads, and head
 * biases at the logit of the training rates so that training starts calibrated (method section 3).
 */
export function initialWeights(
  shape: NetworkShape,
  settings: TrainingSettings,
  rates: PerTask<number>,
): ModelWeights {
  const random = new RandomStream(settings.seed);
  const embeddings = new Float32Array(shape.layout.embeddingRowCount * shape.embeddingWidth);
  // The weights of a logistic regression start at zero, as is usual for a convex model.
  const isLogistic = shape.config.kind === 'logistic';
  if (!isLogistic) {
    initialiseEmbeddings(embeddings, shape, settings.embeddings.initialStandardDeviation, random);
  }
  const parameters = new Map<string, Float32Array>();
  for (const parameter of shape.parameters) {
    const size = parameter.shape.reduce((product, dimension) => product * dimension, 1);
    const values = new Float32Array(size);
    if (!isLogistic) fill(values, parameter, settings, random);
    parameters.set(parameter.name, values);
  }
  for (const task of TASKS) parameters.set(headBiasName(task), Float32Array.of(logit(rates[task])));
  return { embeddings, parameters };
}

/**
 * Draws embeddings [R, E + P]. The E columns that the click task sees come from `random`, the conversion task's own P
 * from a branch of it: whatever is drawn next is the same with and without private columns, so that both are compared
 * on one trunk and one order of rows.
 */
export function initialiseEmbeddings(
  embeddings: Float32Array,
  shape: NetworkShape,
  standardDeviation: number,
  random: RandomStream,
): void {
  const { embeddingWidth } = shape;
  const seenByClicks = embeddingColumns(shape, ['click']).to;
  const ownOfConversions = random.branch();
  for (let start = 0; start < embeddings.length; start += embeddingWidth) {
    for (let column = 0; column < embeddingWidth; column++) {
      const stream = column < seenByClicks ? random : ownOfConversions;
      embeddings[start + column] = standardDeviation * stream.nextNormal();
    }
  }
}

/** A deep copy, such as a checkpoint. */
export function copyWeights({ embeddings, parameters }: ModelWeights): ModelWeights {
  return {
    embeddings: embeddings.slice(),
    parameters: new Map([...parameters].map(([name, values]) => [name, values.slice()])),
  };
}

function fill(
  values: Float32Array,
  { role, shape }: ParameterShape,
  { trunk }: TrainingSettings,
  random: RandomStream,
): void {
  const [fanIn = 1, fanOut = 1] = shape;
  if (role === 'trunk weight') {
    const variance = trunk.initialisation === 'he_normal' ? 2 / fanIn : (1.3 * 2) / (fanIn + fanOut);
    const sigma = trunk.gain * Math.sqrt(variance);
    for (let i = 0; i < values.length; i++) values[i] = sigma * truncatedNormal(random);
  } else if (role === 'head weight') {
    const limit = Math.sqrt(6 / (fanIn + fanOut));
    for (let i = 0; i < values.length; i++) values[i] = limit * (2 * random.nextUniform() - 1);
  }
}

/** Standard normal, redrawn beyond two standard deviations. */
function truncatedNormal(random: RandomStream): number {
  for (;;) {
    const value = random.nextNormal();
    if (Math.abs(value) <= 2) return value;
  }
}

function logit(rate: number): number {
  const bounded = Math.min(1 - 1e-4, Math.max(1e-4, rate));
  return Math.log(bounded / (1 - bounded));
}
