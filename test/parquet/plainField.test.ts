import type { Field } from 'apache-arrow';
import type { SchemaElement } from 'hyparquet';
import { expect, it } from 'vitest';
import { encodeFooter, MAGIC } from '../../lib/parquet/encodeFooter.ts';
import { encodeSchema } from '../../lib/parquet/footerSchema.ts';
import { plainField } from '../../lib/parquet/plainField.ts';
import type { ShardColumn } from '../../lib/parquet/shardColumns.ts';
import { decodeSchema } from '../../lib/parquet/wasmDecoder.ts';

const TYPES = [
  'BOOLEAN',
  'INT32',
  'INT64',
  'INT96',
  'FLOAT',
  'DOUBLE',
  'BYTE_ARRAY',
  'FIXED_LEN_BYTE_ARRAY',
] as const;
const CONVERTED = [
  ...[
    'UTF8',
    'ENUM',
    'JSON',
    'BSON',
    'DATE',
    'TIME_MILLIS',
    'TIMESTAMP_MILLIS',
    'TIMESTAMP_MICROS',
    'LIST',
    'MAP',
  ],
  ...[
    'INT_8',
    'INT_16',
    'INT_32',
    'INT_64',
    'UINT_8',
    'UINT_16',
    'UINT_32',
    'UINT_64',
    'DECIMAL',
    'INTERVAL',
  ],
] as const;
const LOGICAL = ['STRING', 'DATE', 'LIST', 'JSON', 'UUID', 'FLOAT16'] as const;
const REPETITIONS = ['OPTIONAL', 'REQUIRED', 'REPEATED'] as const;

const leaf = (element: Partial<SchemaElement> = {}): SchemaElement =>
  ({ name: 'a', type: 'INT64', repetition_type: 'OPTIONAL', ...element }) as SchemaElement;
const list = (
  outer: Partial<SchemaElement> = {},
  middle: Partial<SchemaElement> = {},
  element: Partial<SchemaElement> = {},
): SchemaElement[] => [
  { name: 'a', repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST', ...outer },
  { name: 'list', repetition_type: 'REPEATED', num_children: 1, ...middle },
  leaf({ name: 'element', ...element }),
];
const columnOf = (elements: readonly SchemaElement[], structDepth = 0): ShardColumn => ({
  name: elements[0]!.name,
  elements,
  leaves: [],
  structDepth,
});

/** Everything that a field tells; null for one that there isn't. */
function described(field: Field | undefined): unknown {
  if (field === undefined) return null;
  const { name, nullable, metadata, type } = field;
  const children = ((type.children ?? []) as Field[]).map(described);
  // apache-arrow compares classes.
  return { name, nullable, metadata: [...metadata], type: String(type), kind: type.constructor, children };
}

function byArrowRs(elements: readonly SchemaElement[]): unknown {
  try {
    const footer = encodeFooter(encodeSchema([columnOf(elements)]), []);
    return described(decodeSchema(Buffer.concat([MAGIC, footer])).fields[0]);
  } catch {
    return null;
  }
}

it.each([
  ['int64', [leaf()]],
  ['int32 that is never null', [leaf({ type: 'INT32', repetition_type: 'REQUIRED' })]],
  ['text', [leaf({ type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } })]],
  [
    'a list of text',
    list({ logical_type: { type: 'LIST' } }, {}, { type: 'BYTE_ARRAY', converted_type: 'UTF8' }),
  ],
])('%s is known without arrow-rs', (_, elements) => {
  expect(described(plainField(columnOf(elements)))).toEqual(byArrowRs(elements));
  expect(byArrowRs(elements)).not.toBeNull();
});

it('a leaf of any type, annotation and repetition is what arrow-rs makes of it, or left to it', () => {
  const known = new Set<string>();
  for (const type of TYPES) {
    for (const converted of [undefined, ...CONVERTED]) {
      for (const logical of [undefined, ...LOGICAL]) {
        for (const repetition of REPETITIONS) {
          const element = {
            ...{ name: 'a', type, repetition_type: repetition },
            ...(converted === undefined ? {} : { converted_type: converted }),
            ...(logical === undefined ? {} : { logical_type: { type: logical } }),
          } as SchemaElement;
          for (const elements of [[element], list({}, {}, element)]) {
            const field = plainField(columnOf(elements));
            if (field === undefined) continue;
            known.add(`${elements.length} ${type} ${converted} ${logical} ${repetition}`);
            expect(described(field), JSON.stringify(elements)).toEqual(byArrowRs(elements));
          }
        }
      }
    }
  }
  // Kinds of values, by OPTIONAL and REQUIRED, alone and in a list.
  expect(known.size).toBe(20 * 2 * 2);
});

it.each([
  ['a field with a number, which arrow-rs gives back as metadata', [leaf({ field_id: 7 })]],
  ['a decimal', [leaf({ converted_type: 'DECIMAL', precision: 9, scale: 2 })]],
  ['a list whose elements may be structs by its name', list({}, { name: 'array' })],
  ['a list that is annotated as nothing', list({ converted_type: undefined as never })],
  ['a list that is annotated as a map too', list({ logical_type: { type: 'MAP' } })],
  ['a list within a repeated group', list({ repetition_type: 'REPEATED' })],
  ['a list whose field has a number', list({}, { field_id: 1 })],
  ['a list that is annotated within', list({}, { converted_type: 'LIST' })],
  ['two elements', list().slice(0, 2)],
])('%s is left to arrow-rs', (_, elements) => {
  expect(plainField(columnOf(elements))).toBeUndefined();
});

it('a field of a struct is left to arrow-rs', () => {
  expect(plainField(columnOf(list(), 1))).toBeUndefined();
});
