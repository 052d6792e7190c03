import {
  type Data,
  type DataType,
  Field,
  Int64,
  List,
  makeData,
  RecordBatch,
  Schema,
  Struct,
} from 'apache-arrow';
import { bench, describe } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { allocateEncodedRows } from '../../lib/features/encodedRows.ts';
import { FeatureEncoder } from '../../lib/features/featureEncoder.ts';
import { fittedContract } from '../../test/features/fittedVocabularies.ts';

/*
 * One row group shaped like kuairand-pure: 8,192 rows, 42 int64 columns, of which 4 hold ids with large
 * vocabularies and 38 a few dozen values, and 3 lists of 20. `hz` times 8,192 is rows a second.
 */
const ROW_COUNT = 8192;
const SINGLE_COUNT = 42;
const LIST_COUNT = 3;
const LIST_LENGTH = 20;
const ID_VOCABULARY = 50_000;

const random = new RandomStream(1);
const vocabularyOf = (column: number) => (column < 4 ? ID_VOCABULARY : 30);

function randomIds(count: number, vocabulary: number): Data<Int64> {
  const values = BigInt64Array.from({ length: count }, () => BigInt(random.nextBelow(1.1 * vocabulary)));
  return makeData({ type: new Int64(), length: count, nullCount: 0, data: values });
}

function batch(): RecordBatch {
  const fields: Field[] = [];
  const children: Data<DataType>[] = [];
  for (let column = 0; column < SINGLE_COUNT; column++) {
    fields.push(new Field(`c${column}`, new Int64(), true));
    children.push(randomIds(ROW_COUNT, vocabularyOf(column)));
  }
  for (let column = 0; column < LIST_COUNT; column++) {
    const type = new List(new Field('element', new Int64(), true));
    fields.push(new Field(`l${column}`, type, true));
    children.push(
      makeData({
        type,
        length: ROW_COUNT,
        nullCount: 0,
        valueOffsets: Int32Array.from({ length: ROW_COUNT + 1 }, (_, row) => row * LIST_LENGTH),
        child: randomIds(ROW_COUNT * LIST_LENGTH, ID_VOCABULARY),
      }),
    );
  }
  const schema = new Schema(fields);
  return new RecordBatch(
    schema,
    makeData({ type: new Struct(fields), length: ROW_COUNT, nullCount: 0, children }),
  );
}

function encoderOf(table: (vocabulary: number) => object): FeatureEncoder {
  const singles = Array.from({ length: SINGLE_COUNT }, (_, column) => ({
    kind: 'categorical',
    column: `c${column}`,
    table: table(vocabularyOf(column)),
  }));
  const lists = Array.from({ length: LIST_COUNT }, (_, column) => ({
    kind: 'list',
    column: `l${column}`,
    table: table(ID_VOCABULARY),
    maxLength: LIST_LENGTH,
    keep: 'last',
  }));
  const features = [...singles, ...lists];
  const { contract, vocabularies } = fittedContract({ contractVersion: 1, rowKeys: ['id'], features });
  return new FeatureEncoder(contract, vocabularies);
}

const rows = batch();

describe('FeatureEncoder: 8,192 rows, 42 int64 columns, 3 lists of 20', () => {
  const arms = {
    vocabulary: encoderOf((size) => ({
      type: 'int',
      vocabulary: { fitted: { values: Array.from({ length: size }, (_, value) => String(value)) } },
    })),
    'vocabulary with a missing value': encoderOf((size) => ({
      type: 'int',
      missingValues: [-1],
      vocabulary: { fitted: { values: Array.from({ length: size }, (_, value) => String(value)) } },
    })),
    hash: encoderOf((size) => ({ type: 'int', hash: { buckets: size } })),
  };
  for (const [name, encoder] of Object.entries(arms)) {
    const into = allocateEncodedRows(encoder.layout, ROW_COUNT);
    bench(name, () => encoder.encode(rows, 0, ROW_COUNT, into, 0));
  }
});
