import { ProblemsError } from '../base/errors.ts';
import { RandomStream } from '../base/randomStream.ts';
import type { FunnelOptions } from './funnelOptions.ts';

/** Width of the latent vector of every value. */
const LATENT_WIDTH = 4;
/** Rows by which logits are standardised and biases found. */
const CALIBRATION_ROWS = 20_000;

/** What a hidden unit reads of one of its two fields. */
interface Reading {
  /** a_j or b_j, of unit length, [4]. */
  readonly direction: readonly number[];
  /** Dot product of the direction and every value's latent vector, [V]. */
  readonly projections: Float64Array;
}

/** One task's teacher, by unit. */
interface TaskTeacher {
  /** Of field f_j, [K]. */
  readonly first: readonly Reading[];
  /** Of field g_j, [K]. */
  readonly second: readonly Reading[];
  /** v_j, [K]. */
  readonly readOut: readonly number[];
  /** What the read-out turns to as days go by, [K]. */
  readonly driftsTo: readonly number[];
  mean: number;
  deviation: number;
  bias: number;
}

/** Logits of both tasks. */
export interface FunnelLogits {
  readonly click: number;
  readonly conversion: number;
}

/**
 * The known truth of a synthetic funnel (method, appendix A.2). Hidden unit j reads two fields:
 * h_j = tanh(2 ((a_j . z_f) (b_j . z_g) + .5 (a_j . z_f))); a task's logit is
 * bias + gain * standardise(sum_j v_j h_j) + selectionBias * c, with a standard normal c shared by both tasks.
 */
export class FunnelTeacher {
  readonly options: FunnelOptions;
  /** The two fields of every unit. */
  readonly unitFields: readonly (readonly [number, number])[];
  /** z_{f, v}, [F][V][4]. */
  readonly #latents: readonly (readonly number[])[][];
  readonly #click: TaskTeacher;
  readonly #conversion: TaskTeacher;

  /** @throws ProblemsError SYNTHESIS_OPTIONS_INVALID when clickbait fields leave no unit to conversions */
  constructor(options: FunnelOptions) {
    this.options = options;
    const { units, fields, vocabulary, featureRelatedness, outputRelatedness, clickbaitFields } = options;
    const random = new RandomStream(options.seed);
    const vector = () => Array.from({ length: LATENT_WIDTH }, () => random.nextNormal());
    const latents = Array.from({ length: fields }, () => Array.from({ length: vocabulary }, vector));
    const unitFields = Array.from({ length: units }, () => {
      const first = random.nextBelow(fields);
      const second = (first + 1 + random.nextBelow(fields - 1)) % fields;
      return [first, second] as const;
    });
    this.unitFields = unitFields;
    this.#latents = latents;
    const read = (direction: readonly number[], field: number): Reading => ({
      direction,
      projections: Float64Array.from(latents[field]!, (latent) => dot(direction, latent)),
    });
    const directions = () => {
      const own = unit(vector());
      return { click: own, conversion: mixture(own, orthogonal(own, vector()), featureRelatedness) };
    };
    const click = { first: [] as Reading[], second: [] as Reading[], readOut: [] as number[] };
    const conversion = { first: [] as Reading[], second: [] as Reading[], readOut: [] as number[] };
    for (const [first, second] of unitFields) {
      const [a, b] = [directions(), directions()];
      click.first.push(read(a.click, first));
      click.second.push(read(b.click, second));
      conversion.first.push(read(a.conversion, first));
      conversion.second.push(read(b.conversion, second));
      const readOut = random.nextNormal();
      click.readOut.push(readOut);
      const [other = 0] = mixture([readOut], [random.nextNormal()], outputRelatedness);
      conversion.readOut.push(Math.min(first, second) < clickbaitFields ? 0 : other);
    }
    if (conversion.readOut.every((value) => value === 0)) {
      throw new ProblemsError('SYNTHESIS_OPTIONS_INVALID', 'nothing would explain the conversions', [
        `clickbaitFields: with seed ${options.seed} each of the ${units} units reads one of the first ${clickbaitFields} fields`,
      ]);
    }
    const driftsTo = (task: { readOut: number[] }) =>
      task.readOut.map((value) => (value === 0 ? 0 : random.nextNormal()));
    const start = { mean: 0, deviation: 1, bias: 0 };
    this.#click = { ...click, driftsTo: driftsTo(click), ...start };
    this.#conversion = { ...conversion, driftsTo: driftsTo(conversion), ...start };
    this.#calibrate(random);
  }

  /** All that the logits of a row depend on but its values and the confounder, for truth.json. */
  get parameters(): Record<string, unknown> {
    const describe = ({ first, second, readOut, driftsTo, mean, deviation, bias }: TaskTeacher) => ({
      firstDirections: first.map(({ direction }) => direction),
      secondDirections: second.map(({ direction }) => direction),
      readOut,
      driftsTo,
      mean,
      deviation,
      bias,
    });
    return {
      unitFields: this.unitFields,
      click: describe(this.#click),
      conversion: describe(this.#conversion),
      latents: this.#latents,
    };
  }

  /** Values of all fields, few of them popular: floor(V u^2). */
  drawValues(random: RandomStream): Int32Array {
    const { fields, vocabulary } = this.options;
    return Int32Array.from({ length: fields }, () => Math.floor(vocabulary * random.nextUniform() ** 2));
  }

  /** @param confounder c, standard normal @param day from 0 */
  logits(values: Int32Array, confounder: number, day: number): FunnelLogits {
    const { gain, selectionBias } = this.options;
    const logit = (task: TaskTeacher) =>
      task.bias +
      (gain * (this.#signal(task, values, day) - task.mean)) / task.deviation +
      selectionBias * confounder;
    return { click: logit(this.#click), conversion: logit(this.#conversion) };
  }

  #signal({ first, second, readOut, driftsTo }: TaskTeacher, values: Int32Array, day: number): number {
    const angle = this.options.drift * day;
    const [stays, goes] = [Math.cos(angle), Math.sin(angle)];
    let sum = 0;
    this.unitFields.forEach(([f, g], j) => {
      const p = first[j]!.projections[values[f]!]!;
      const hidden = Math.tanh(2 * (p * second[j]!.projections[values[g]!]! + 0.5 * p));
      sum += (stays * readOut[j]! + goes * driftsTo[j]!) * hidden;
    });
    return sum;
  }

  /** Standardises both signals, then finds the biases that give the wanted rates on the first day. */
  #calibrate(random: RandomStream): void {
    const rows = Array.from({ length: CALIBRATION_ROWS }, () => ({
      values: this.drawValues(random),
      confounder: random.nextNormal(),
    }));
    for (const task of [this.#click, this.#conversion]) {
      const signals = rows.map(({ values }) => this.#signal(task, values, 0));
      task.mean = signals.reduce((sum, value) => sum + value, 0) / signals.length;
      const variance = signals.reduce((sum, value) => sum + (value - task.mean) ** 2, 0) / signals.length;
      task.deviation = Math.sqrt(variance);
    }
    const logits = rows.map(({ values, confounder }) => this.logits(values, confounder, 0));
    const { clickRate, conversionRate } = this.options;
    const ones = logits.map(() => 1);
    this.#click.bias = biasFor(
      logits.map(({ click }) => click),
      ones,
      clickRate,
    );
    const propensities = logits.map(({ click }) => sigmoid(click + this.#click.bias));
    this.#conversion.bias = biasFor(
      logits.map(({ conversion }) => conversion),
      propensities,
      conversionRate,
    );
  }
}

export function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}

/** By bisection: the weighted mean of sigmoid(logit + bias) rises with the bias. @param rate above 0 and below 1 */
function biasFor(logits: readonly number[], weights: readonly number[], rate: number): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const rateWith = (bias: number) =>
    logits.reduce((sum, logit, row) => sum + weights[row]! * sigmoid(logit + bias), 0) / total;
  let [low, high] = [-50, 50];
  // Strong signals, and a strong hidden cause, have logits of some hundreds.
  while (rateWith(low) > rate) low *= 2;
  while (rateWith(high) < rate) high *= 2;
  for (let i = 0; i < 60; i++) {
    const bias = (low + high) / 2;
    if (rateWith(bias) > rate) high = bias;
    else low = bias;
  }
  return (low + high) / 2;
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

function unit(vector: readonly number[]): number[] {
  const length = Math.sqrt(dot(vector, vector));
  return vector.map((value) => value / length);
}

/** The unit vector of what `vector` has across `axis`, a unit vector. */
function orthogonal(axis: readonly number[], vector: readonly number[]): number[] {
  const along = dot(axis, vector);
  return unit(vector.map((value, i) => value - along * axis[i]!));
}

/** share * a + sqrt(1 - share^2) * b: of unit length, or of unit variance, when a and b are and don't correlate. */
function mixture(a: readonly number[], b: readonly number[], share: number): number[] {
  const rest = Math.sqrt(1 - share ** 2);
  return a.map((value, i) => share * value + rest * b[i]!);
}
