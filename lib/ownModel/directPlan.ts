import { ProblemsError } from '../base/errors.ts';
import { nearestName } from '../base/nearestName.ts';
import {
  describeTensor,
  graphProblems,
  isBatch,
  ownInputs,
  ownOutputProblems,
} from '../bundle/checkModelInterface.ts';
import { type DirectInput, type DirectSource, directWidth } from '../bundle/directInput.ts';
import { DENSE, LIST_ROWS, LIST_WEIGHTS, SINGLE_ROWS } from '../bundle/modelInterface.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import type { TensorInfo } from '../onnx/modelProto.ts';
import type { ModelProto } from '../onnx/onnxSchema.ts';
import type { OwnModelConfig } from './ownModelConfig.ts';

/** By the name that a user gives it: `user`, `recent.weights`, `age.missing`. */
type NamedSources = ReadonlyMap<string, DirectSource>;

/**
 * Finds out what each input of a model takes: what the config says, else the value that it is named after, else (`single_rows`,
 * `list_rows`, `list_weights`, `dense`) what a plain export takes.
 * @param file of the model, for errors
 * @throws ProblemsError MODEL_INTERFACE with all that makes the model unfit: inputs, outputs, operators
 */
export function directPlan(
  model: ModelProto,
  layout: FeatureLayout,
  { inputs }: Pick<OwnModelConfig, 'inputs'>,
  file: string,
): DirectInput[] {
  const sources = namedSources(layout);
  const tensors = ownInputs(model.graph);
  const problems: string[] = [];
  const plan = tensors.flatMap((tensor) => {
    const values = sourcesOf(tensor.name, inputs, sources, layout);
    const input = typeof values === 'string' ? values : directInput(tensor, values, layout);
    if (typeof input !== 'string') return [input];
    problems.push(`input ${tensor.name}: ${input}`);
    return [];
  });
  for (const name of Object.keys(inputs)) {
    if (!tensors.some((tensor) => tensor.name === name)) {
      problems.push(`inputs.${name}: the model has no such input${hint(name, namesOf(tensors))}`);
    }
  }
  if (tensors.length === 0) problems.push('the model has no input');
  problems.push(...ownOutputProblems(model.graph), ...graphProblems(model));
  if (problems.length === 0) return plan;
  throw new ProblemsError(
    'MODEL_INTERFACE',
    "the model doesn't fit the contract, or can't be scored with",
    problems,
    {
      file,
    },
  );
}

function namedSources({ singles, lists, numerics }: FeatureLayout): NamedSources {
  const all = (fields: readonly { readonly name: string }[], suffix: string, as: DirectSource['as']) =>
    fields.map(({ name }) => [`${name}${suffix}`, { feature: name, as }] as const);
  // A feature's own name goes before what is derived of another one's.
  return new Map<string, DirectSource>([
    ...all(lists, '.weights', 'weight'),
    ...all(numerics, '.missing', 'missing'),
    ...all([...singles, ...lists], '', 'id'),
    ...all(numerics, '', 'number'),
  ]);
}

/** @returns what is wrong instead */
function sourcesOf(
  input: string,
  configured: OwnModelConfig['inputs'],
  sources: NamedSources,
  { singles, lists, numerics }: FeatureLayout,
): readonly DirectSource[] | string {
  const names = Object.hasOwn(configured, input) ? configured[input]! : undefined;
  if (names === undefined && !sources.has(input)) {
    const plain: Readonly<Record<string, readonly DirectSource[]>> = {
      [SINGLE_ROWS]: singles.map(({ name }) => ({ feature: name, as: 'row' })),
      [LIST_ROWS]: lists.map(({ name }) => ({ feature: name, as: 'row' })),
      [LIST_WEIGHTS]: lists.map(({ name }) => ({ feature: name, as: 'weight' })),
      [DENSE]: numerics.flatMap(({ name }): DirectSource[] => [
        { feature: name, as: 'number' },
        { feature: name, as: 'missing' },
      ]),
    };
    const found = Object.hasOwn(plain, input) ? plain[input]! : [];
    if (found.length > 0) return found;
    return `no feature of that name${hint(input, [...sources.keys()])}; the config's inputs may say what it takes`;
  }
  const wanted = names ?? [input];
  const unknown = wanted.find((name) => !sources.has(name));
  if (unknown !== undefined) return `no feature '${unknown}'${hint(unknown, [...sources.keys()])}`;
  return wanted.map((name) => sources.get(name)!);
}

/** @returns what is wrong instead */
function directInput(
  tensor: TensorInfo,
  values: readonly DirectSource[],
  layout: FeatureLayout,
): DirectInput | string {
  const { name, elementType, shape } = tensor;
  const isIds = values.every(({ as }) => as === 'id' || as === 'row');
  if (!isIds && values.some(({ as }) => as === 'id' || as === 'row')) {
    return 'ids and numbers beside each other; give each kind an input of its own';
  }
  const isFlat = shape.length === 1;
  const input = { name, isFlat, values, elementType: 'float32' } as const;
  const width = directWidth(input, layout);
  const fits =
    isBatch(shape[0]) &&
    (isFlat ? width === 1 : shape.length === 2 && (shape[1] === width || typeof shape[1] === 'string'));
  const types = isIds ? (['int64', 'int32'] as const) : (['float32'] as const);
  const type = types.find((each) => each === elementType);
  if (fits && type !== undefined) return { ...input, elementType: type };
  const shapes = width === 1 ? '[B] or [B, 1]' : `[B, ${width}]`;
  return `expected ${types.join(' or ')} ${shapes} with a dynamic B, found ${describeTensor(tensor)}`;
}

function namesOf(tensors: readonly TensorInfo[]): string[] {
  return tensors.map(({ name }) => name);
}

function hint(name: string, known: readonly string[]): string {
  const near = nearestName(name, known);
  return near === undefined ? ` (there are ${known.slice(0, 12).join(', ')})` : ` (did you mean '${near}'?)`;
}
