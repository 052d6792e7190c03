import { z } from 'zod';
import { canonicalJson, sha256 } from '../base/digest.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { type DirectInput, directInputSchema, directProblems, isDirect } from './directInput.ts';
import { isSoundLayer, sparseLayersSchema, unitCount } from './sparseLayers.ts';

/** Columns [from, to) of a field's embedding. Fields are counted from 0: single values first, then lists. */
const blockSchema = z.strictObject({
  field: z.int().min(0),
  from: z.int().min(0),
  to: z.int().min(1),
});

/** Dot products of two blocks of an input, told by their places among its blocks. All of these blocks are of one width. */
const productsSchema = z.strictObject({
  input: z.string().min(1),
  pairs: z
    .array(z.tuple([z.int().min(0), z.int().min(0)]).readonly())
    .min(1)
    .readonly(),
});

/**
 * One float32 input of model.onnx, [B, width]: the blocks beside each other, then some of the dense columns, then products; or the
 * units of the last one of some layers that read these.
 */
const gatheredInputSchema = z.strictObject({
  name: z.string().min(1),
  blocks: z.array(blockSchema).readonly().default([]),
  columns: z.array(z.int().min(0)).readonly().default([]),
  products: productsSchema.optional(),
  layers: sparseLayersSchema.optional(),
});

/**
 * What model.onnx takes, in order. A block of a list is the sum of the list's embeddings with their weights, a masked
 * mean; a row without a value has zeros there.
 */
const gatherPlanSchema = z.array(gatheredInputSchema).min(1).readonly();

/** Of a model that was trained here, what is gathered for it; of an own one, what it takes of encoded rows as they are. */
export const inputPlanSchema = z.union([gatherPlanSchema, z.array(directInputSchema).min(1).readonly()]);

export type GatheredInput = Readonly<z.infer<typeof gatheredInputSchema>>;
export type GatherPlan = readonly GatheredInput[];
export type InputPlan = GatherPlan | readonly DirectInput[];

/** Is it the plan of an own model? */
export function isDirectPlan(plan: InputPlan): plan is readonly DirectInput[] {
  return plan.some(isDirect);
}

/** Numbers per row that are gathered. */
export function gatheredWidth({ blocks, columns, products }: GatheredInput): number {
  return blocks.reduce(
    (sum, { from, to }) => sum + to - from,
    columns.length + (products?.pairs.length ?? 0),
  );
}

/** Numbers per row of an input. */
export function inputWidth(input: GatheredInput): number {
  const last = input.layers?.at(-1);
  return last === undefined ? gatheredWidth(input) : unitCount(last);
}

/**
 * What of a plan doesn't fit rows of that layout, one line each.
 * @param embeddingWidth columns of every embedding table
 */
export function inputProblems(plan: InputPlan, layout: FeatureLayout, embeddingWidth: number): string[] {
  const names = new Set<string>();
  return plan.flatMap((input) => {
    const isTaken = names.has(input.name);
    names.add(input.name);
    const problems = isDirect(input)
      ? directProblems(input, layout)
      : [
          ...gatherProblems(input, layout, embeddingWidth),
          ...productProblems(input, plan),
          ...layerProblems(input),
        ];
    return [...(isTaken ? ['named twice'] : []), ...problems].map(
      (problem) => `inputs.${input.name}: ${problem}`,
    );
  });
}

function gatherProblems(input: GatheredInput, layout: FeatureLayout, embeddingWidth: number): string[] {
  const fieldCount = layout.singles.length + layout.lists.length;
  const blocks = input.blocks.filter(
    ({ field, from, to }) => field >= fieldCount || from >= to || to > embeddingWidth,
  );
  const columns = input.columns.filter((column) => column >= layout.denseWidth);
  return [
    ...(gatheredWidth(input) === 0 ? ['nothing to gather'] : []),
    ...blocks.map(
      ({ field, from, to }) =>
        `columns ${from} to ${to} of field ${field}, of ${fieldCount} fields with ${embeddingWidth} columns`,
    ),
    ...columns.map((column) => `dense column ${column}, of ${layout.denseWidth}`),
  ];
}

function productProblems({ products }: GatheredInput, plan: InputPlan): string[] {
  if (products === undefined) return [];
  const source = plan.find(({ name }) => name === products.input);
  if (source === undefined || isDirect(source))
    return [`products of '${products.input}', which isn't gathered`];
  const widths = products.pairs.flat().map((block) => {
    const found = source.blocks[block];
    return found && found.to - found.from;
  });
  return widths.every((width) => width !== undefined && width === widths[0])
    ? []
    : [`products of blocks of '${products.input}' that aren't there or are not of one width`];
}

function layerProblems(input: GatheredInput): string[] {
  let width = gatheredWidth(input);
  for (const [index, layer] of (input.layers ?? []).entries()) {
    if (!isSoundLayer(layer, width)) return [`layer ${index} isn't one of ${width} inputs`];
    width = unitCount(layer);
  }
  return [];
}

/** Key of model.onnx's metadata under which it holds its `gatheredDigest`. */
export const GATHERED_KEY = 'ncs4cvr.gathered';

/**
 * Ties model.onnx to what is gathered for it: a digest of the plan, of the embedding files' digests by their paths, and of the
 * fields and numbers that the plan counts. model.onnx holds it, so that its own digest tells a model from every other one.
 */
export function gatheredDigest(
  plan: InputPlan,
  embeddings: Readonly<Record<string, string>>,
  { singles, lists, numerics }: FeatureLayout,
): string {
  const fields = [
    ...singles.map(({ name, table }) => [name, table.name]),
    ...lists.map(({ name, table, feature }) => [name, table.name, feature.maxLength]),
  ];
  return sha256(
    canonicalJson({ inputs: plan, embeddings, fields, numerics: numerics.map(({ name }) => name) }),
  );
}
