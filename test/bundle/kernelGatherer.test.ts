import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { BatchGatherer } from '../../lib/bundle/batchGatherer.ts';
import type { EmbeddingTable } from '../../lib/bundle/embeddingTable.ts';
import {
  type GatheredInput,
  type GatherPlan,
  gatheredWidth,
  inputProblems,
} from '../../lib/bundle/gatherPlan.ts';
import { halfValues } from '../../lib/bundle/halfFloat.ts';
import { KernelGatherer } from '../../lib/bundle/kernelGatherer.ts';
import type { StoredElement } from '../../lib/bundle/safetensors.ts';
import { type StoredLayer, storeLayer } from '../../lib/bundle/sparseLayers.ts';
import type { EncodedRows } from '../../lib/features/encodedRows.ts';
import type { FeatureLayout } from '../../lib/features/featureLayout.ts';
import { narrowTable } from '../../lib/quantise/narrowTable.ts';
import { readableTables } from '../fixtures/readableTables.ts';
import { syntheticLayout } from '../fixtures/syntheticModel.ts';

const CAPACITY = 150;

/** Tables of random numbers, every one of another element type. */
function tablesFor(
  { tables }: FeatureLayout,
  width: number,
  types: readonly StoredElement[],
): EmbeddingTable[] {
  const random = new RandomStream(width);
  return tables.map(({ name, rowStart, rowCount }, i) => {
    // Sizes differ so much that sums in another order, or in float64, would have other bits.
    const rows = Float32Array.from(
      { length: rowCount * width },
      () => random.nextNormal() * 10 ** (4 * random.nextUniform() - 2),
    );
    const table = { ...{ name, rowStart, rowCount, width, rows }, elementType: 'F32' as const };
    return narrowTable(table, types[i % types.length]!);
  });
}

/** Random ids, lists of all lengths, places without a value in the middle of some. */
function fillRows(
  rows: EncodedRows,
  { singles, lists, listWidth, denseWidth }: FeatureLayout,
  seed: number,
  rowCount = CAPACITY,
) {
  const random = new RandomStream(seed);
  const draw = (count: number) => random.nextBelow(count);
  rows.dense.forEach((_, i) => {
    rows.dense[i] = random.nextNormal();
  });
  for (let row = 0; row < rowCount; row++) {
    for (const [i, { table }] of singles.entries()) {
      rows.singleRows[row * singles.length + i] = table.rowStart + draw(table.rowCount);
    }
    for (const { position, feature, table } of lists) {
      const count = draw(feature.maxLength + 1);
      for (let i = 0; i < feature.maxLength; i++) {
        const at = row * listWidth + position + i;
        const isUsed = i < count && draw(5) > 0;
        rows.listRows[at] = isUsed ? table.rowStart + draw(table.rowCount) : 0;
        rows.listWeights[at] = isUsed ? Math.fround(1 / count) : 0;
      }
    }
  }
  expect(rows.dense.length).toBe(rowCount * denseWidth);
}

/** Bits of what a gatherer of these tables gives for rows that `fillRows` makes. */
function gathered(
  plan: GatherPlan,
  layout: FeatureLayout,
  tables: readonly EmbeddingTable[],
  rowCount: number,
) {
  const gatherer = new BatchGatherer(plan, layout, tables, CAPACITY);
  fillRows(gatherer.rows, layout, 7);
  // What stood there before must not shine through.
  for (const { data } of gatherer.inputs) data.fill(77);
  gatherer.gather(rowCount);
  return gatherer.inputs.map(({ data }) => [...new Int32Array(data.buffer)]);
}

const elementTypes = fc.constantFrom<StoredElement>('F32', 'F16', 'I8');

const cases = fc
  .record({
    singles: fc.integer({ min: 0, max: 3 }),
    lists: fc.array(fc.integer({ min: 1, max: 25 }), { maxLength: 2 }),
    numerics: fc.integer({ min: 1, max: 3 }),
    width: fc.integer({ min: 1, max: 40 }),
    types: fc.array(elementTypes, { minLength: 1, maxLength: 3 }),
    rowCount: fc.integer({ min: 1, max: CAPACITY }),
    stays: fc.option(fc.integer({ min: 0, max: 3 })),
  })
  .filter(({ singles, lists }) => singles + lists.length > 0)
  .chain((size) => {
    const fieldCount = size.singles + size.lists.length;
    const block = fc
      .tuple(fc.nat(fieldCount - 1), fc.integer({ min: 0, max: size.width - 1 }), fc.nat())
      .map(([field, from, more]) => ({ field, from, to: from + 1 + (more % (size.width - from)) }));
    const columns = fc.array(fc.nat(2 * size.numerics - 1), { maxLength: 5 });
    const products = fc.option(fc.record({ source: fc.nat(), places: fc.array(fc.nat(), { minLength: 2 }) }));
    const layers = fc.option(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 }));
    const blocks = fc.array(block, { minLength: 1, maxLength: 5 });
    const input = fc.record({ blocks, columns, products, layers });
    return fc.record({ size: fc.constant(size), inputs: fc.array(input, { minLength: 1, maxLength: 3 }) });
  })
  .map(({ size, inputs }) => ({
    size,
    plan: inputs.map(({ layers, ...input }, i): GatheredInput => {
      const plain = withProducts(input, i, inputs);
      return layers === null ? plain : { ...plain, layers: sparseLayers(gatheredWidth(plain), layers, i) };
    }),
  }));

/** An input's columns, and which of the blocks of which input are multiplied. */
interface DrawnInput {
  readonly blocks: GatheredInput['blocks'];
  readonly columns: readonly number[];
  readonly products: { readonly source: number; readonly places: readonly number[] } | null;
}

function withProducts({ products, blocks, columns }: DrawnInput, at: number, all: readonly DrawnInput[]) {
  const input: GatheredInput = { name: `x${at}`, blocks, columns };
  if (products === null) return input;
  const source = products.source % all.length;
  const widths = all[source]!.blocks.map(({ from, to }) => to - from);
  const equal = [...widths.keys()].filter((block) => widths[block] === widths[0]);
  const chosen = products.places.map((place) => equal[place % equal.length]!);
  const pairs = chosen.slice(1).map((block, index) => [chosen[index]!, block] as const);
  return { ...input, products: { input: `x${source}`, pairs } };
}

/** Layers of so many units, of random weights, a third of which are there; the first unit has none. */
function sparseLayers(inputCount: number, units: readonly number[], seed: number): StoredLayer[] {
  const random = new RandomStream(seed);
  return units.map((count, index) => {
    const inputs = index === 0 ? inputCount : units[index - 1]!;
    const weight = Float32Array.from({ length: inputs * count }, (_, at) =>
      at % count > 0 && random.nextBelow(3) === 0 ? random.nextNormal() : 0,
    );
    return storeLayer(
      weight,
      Float32Array.from({ length: count }, () => random.nextNormal()),
    );
  });
}

describe('kernels', () => {
  it('of every room are what the compiler makes of their source', () => {
    execFileSync(process.execPath, ['scripts/buildKernels.mjs', '--check']);
  });

  it('gather the bits that JavaScript gathers: all element types, widths, lists, products, layers and numbers of rows', () => {
    fc.assert(
      fc.property(cases, ({ size, plan }) => {
        const { width, types, rowCount, stays } = size;
        const layout = syntheticLayout(size);
        expect(inputProblems(plan, layout, width)).toEqual([]);
        const tables = tablesFor(layout, width, types);
        const moved = readableTables(tables, (i) => i !== stays);
        expect(gathered(plan, layout, moved, rowCount)).toEqual(gathered(plan, layout, tables, rowCount));
      }),
      { numRuns: 150, seed: 20_261_127 },
    );
  });

  it.each(['F32', 'F16', 'I8'] as const)(
    'gather the same bits of lists in %s tables beyond a cache',
    (type) => {
      const layout = syntheticLayout({ singles: 1, lists: [20, 3], buckets: 70_000 });
      const blocks = [1, 2].map((field) => ({ field, from: 1, to: 16 }));
      const tables = tablesFor(layout, 16, [type]);
      expect(Math.min(...tables.map(({ rows }) => rows.byteLength))).toBeGreaterThan(2 ** 20);
      const found = gathered(
        [{ name: 'x', blocks, columns: [0] }],
        layout,
        readableTables(tables, () => true),
        CAPACITY,
      );
      expect(found).toEqual(gathered([{ name: 'x', blocks, columns: [0] }], layout, tables, CAPACITY));
    },
  );

  it('read all 65,536 halves', () => {
    const layout = syntheticLayout({ singles: 1, lists: [], buckets: 65_535 });
    const rows = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);
    const table: EmbeddingTable = { ...layout.tables[0]!, width: 1, elementType: 'F16', rows };
    const plan = [{ name: 'x', blocks: [{ field: 0, from: 0, to: 1 }], columns: [] }];
    const gatherer = new BatchGatherer(
      plan,
      layout,
      readableTables([table], () => true),
      65_536,
    );
    gatherer.rows.singleRows.forEach((_, row, ids) => {
      ids[row] = row;
    });
    gatherer.gather(65_536);
    // Not as numbers: 0 isn't -0. NaN may have any bits.
    const bits = (values: Float32Array) => [
      ...new Int32Array(values.map((x) => (Number.isNaN(x) ? 0.5 : x)).buffer),
    ];
    expect(bits(gatherer.inputs[0]!.data)).toEqual(bits(halfValues()));
  });

  it('pass NaN on through layers, as JavaScript does: a ReLU that makes zeros of it would hide a broken number', () => {
    const layout = syntheticLayout({ singles: 1, lists: [] });
    const rowCount = 16;
    const layers = [storeLayer(new Float32Array(3 * 2).fill(1), new Float32Array(2))];
    const plan = [{ name: 'x', blocks: [{ field: 0, from: 0, to: 2 }], columns: [0], layers }];
    const [table] = tablesFor(layout, 2, ['F32']);
    const broken = {
      ...table!,
      rows: new Float32Array(table!.rows.length).fill(Number.NaN),
    } as EmbeddingTable;
    for (const tables of [[broken], readableTables([broken], () => true)]) {
      const gatherer = new BatchGatherer(plan, layout, tables, rowCount);
      fillRows(gatherer.rows, layout, 7, rowCount);
      gatherer.gather(rowCount);
      expect(gatherer.inputs[0]!.data).toEqual(new Float32Array(2 * rowCount).fill(Number.NaN));
    }
  });

  it('give the zero of a unit the sign that JavaScript gives it', () => {
    const layout = syntheticLayout({ singles: 1, lists: [] });
    const layers = [storeLayer(new Float32Array(3 * 2), Float32Array.of(-0, 0))];
    const plan = [{ name: 'x', blocks: [{ field: 0, from: 0, to: 2 }], columns: [0], layers }];
    const tables = tablesFor(layout, 2, ['F32']);
    const bits = gathered(plan, layout, tables, 16)[0]!;
    expect(bits.slice(0, 2)).toEqual([0x80000000 | 0, 0]);
    expect(
      gathered(
        plan,
        layout,
        readableTables(tables, () => true),
        16,
      )[0],
    ).toEqual(bits);
  });

  it('leave fields to JavaScript whose tables lie elsewhere, and do nothing where all do', () => {
    const layout = syntheticLayout({ singles: 2, lists: [] });
    const plan = [{ name: 'x', blocks: [{ field: 0, from: 0, to: 2 }], columns: [] }];
    const tables = tablesFor(layout, 2, ['F32']);
    expect(KernelGatherer.create(plan, layout, tables, CAPACITY)).toBeUndefined();
    const some = KernelGatherer.create(
      plan,
      layout,
      readableTables(tables, (i) => i === 1),
      CAPACITY,
    )!;
    expect([0, 1].map((field) => some.covers(field))).toEqual([false, true]);
  });
});
