import {
  type Data,
  Field,
  Float64,
  Int8,
  Int64,
  List,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  Utf8,
} from 'apache-arrow';
import type { RandomStream } from '../../lib/base/randomStream.ts';
import { type ConfigDocument, type FeatureDocument, WIDE_CARDINALITIES } from './contractConfigs.ts';

/** Distinct values of the columns of a contract with vocabularies: of its first four, and of all others. */
const [MANY_IDS, FEW_IDS] = [20_000, 12];
const ID_COLUMNS = 4;

/**
 * Rows of a made-up night for a config: its row keys, the columns of its features, and both labels. Ids of even columns are uniform,
 * of odd ones their logarithm is; lists have 0 to `maxLength` values; numbers are log-normal, and the first of them moves clicks.
 * @param firstRow of the first row key, which counts up
 */
export function drawColumns(
  { contract, labels }: ConfigDocument,
  rowCount: number,
  random: RandomStream,
  firstRow: number,
): Table {
  const columns = new Map<string, Data>();
  columns.set(
    contract.rowKeys[0]!,
    int64Data(rowCount, (row) => firstRow + row),
  );
  let firstNumber: Float64Array | undefined;
  for (const [index, feature] of contract.features.entries()) {
    if (columns.has(feature.column)) continue;
    if (feature.kind === 'numeric' || feature.kind === 'bucketed') {
      const values = Float64Array.from({ length: rowCount }, () => Math.exp(random.nextNormal()));
      firstNumber ??= values;
      columns.set(feature.column, makeData({ type: new Float64(), data: values }));
    } else if (feature.kind === 'list') {
      columns.set(feature.column, listData(feature, index, contract, rowCount, random));
    } else {
      columns.set(feature.column, idData(feature, index, contract, rowCount, random));
    }
  }
  const clicks = Int8Array.from({ length: rowCount }, (_, row) =>
    Number(random.nextUniform() < 0.3 + (firstNumber![row]! > 1 ? 0.2 : 0)),
  );
  const conversions = clicks.map((click) => Number(click === 1 && random.nextUniform() < 0.3));
  columns.set(labels.click, makeData({ type: new Int8(), data: clicks }));
  columns.set(labels.conversion, makeData({ type: new Int8(), data: conversions }));

  const fields = [...columns].map(([name, { type }]) => new Field(name, type, true));
  const type = new Struct(fields);
  const data = makeData({ type, length: rowCount, children: [...columns.values()] });
  return new Table([new RecordBatch(new Schema(fields), data)]);
}

function idData(
  { table, column }: FeatureDocument,
  index: number,
  contract: ConfigDocument['contract'],
  count: number,
  random: RandomStream,
): Data {
  const definition = typeof table === 'string' ? contract.tables![table]! : table!;
  const cardinality =
    definition.hash === undefined
      ? index < ID_COLUMNS || typeof table === 'string'
        ? MANY_IDS
        : FEW_IDS
      : WIDE_CARDINALITIES[index % WIDE_CARDINALITIES.length]!;
  const draw = (): number => {
    const uniform = random.nextUniform();
    return Math.floor(index % 2 === 0 ? uniform * cardinality : cardinality ** uniform - 1);
  };
  if (definition.type === 'int') return int64Data(count, () => draw() * 7919);
  return textData(Array.from({ length: count }, () => `${column}_${draw()}`));
}

function listData(
  feature: FeatureDocument,
  index: number,
  contract: ConfigDocument['contract'],
  rowCount: number,
  random: RandomStream,
): Data {
  const offsets = new Int32Array(rowCount + 1);
  for (let row = 0; row < rowCount; row++) {
    offsets[row + 1] = offsets[row]! + Math.floor(random.nextUniform() * (feature.maxLength! + 1));
  }
  const child = idData(feature, index, contract, offsets[rowCount]!, random);
  const type = new List(new Field('element', child.type, true));
  return makeData({ type, length: rowCount, valueOffsets: offsets, child });
}

function int64Data(count: number, idOf: (row: number) => number): Data {
  const data = BigInt64Array.from({ length: count }, (_, row) => BigInt(idOf(row)));
  return makeData({ type: new Int64(), data });
}

/** @param texts ASCII */
function textData(texts: readonly string[]): Data {
  const valueOffsets = new Int32Array(texts.length + 1);
  for (const [row, text] of texts.entries()) valueOffsets[row + 1] = valueOffsets[row]! + text.length;
  const data = Buffer.from(texts.join(''), 'latin1');
  return makeData({ type: new Utf8(), length: texts.length, valueOffsets, data });
}
