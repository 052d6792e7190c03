import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { featureLayout } from '../../lib/features/featureLayout.ts';
import { openVocabulary, valuesOfIds, vocabulariesOf } from '../../lib/features/vocabulary.ts';
import { GraphBuilder } from '../../lib/onnx/graphBuilder.ts';
import { decodeModel } from '../../lib/onnx/modelProto.ts';
import { add, sigmoid, slice } from '../../lib/onnx/ops.ts';
import { directPlan } from '../../lib/ownModel/directPlan.ts';
import { parseOwnModelConfig } from '../../lib/ownModel/ownModelConfig.ts';
import { ownVocabulary } from '../../lib/ownModel/ownVocabulary.ts';
import { readOwnContract } from '../../lib/ownModel/readOwnContract.ts';
import { OWN_CONTRACT, OWN_VALUES, writeOwnContract } from '../fixtures/ownContract.ts';
import { writeShard } from '../parquet/sampleShards.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();

/** Values by their ids in a table of a contract. */
async function valuesOf(uri: string, file: string): Promise<string[]> {
  const { contract, vocabularies } = await readOwnContract(uri);
  const expected = vocabulariesOf(contract).get(file)!;
  const ids = Array.from({ length: expected.entries }, (_, at) => at + 1);
  return valuesOfIds(vocabularies.get(file)!, expected, ids);
}

describe('a contract with values of its own', () => {
  let uri: string;
  beforeAll(() => {
    uri = writeOwnContract(folder);
  });

  it.each([
    ['a Parquet file with ids', 'user_id', OWN_VALUES.user],
    ['a JSON file, integers above 2^53 as text', 'item', OWN_VALUES.item],
    ['the document itself', 'tags', OWN_VALUES.tags],
  ])('gives every value the id that %s gives it, whatever the data have', async (_, table, values) => {
    expect(await valuesOf(uri, `vocabularies/${table}.vocab`)).toEqual(values.map(String));
  });

  it('finds files beside the document, wherever it is read from', async () => {
    const elsewhere = join(folder, 'deep', 'down');
    mkdirSync(elsewhere, { recursive: true });
    const copy = structuredClone(OWN_CONTRACT) as { tables: object };
    copy.tables = { item: { type: 'int', vocabulary: { values: '../../values/items.json' } } };
    const contract = join(elsewhere, 'contract.json');
    const users = join(folder, 'values/users.parquet');
    writeFileSync(contract, JSON.stringify(copy).replace('values/users.parquet', users));
    expect(await valuesOf(contract, 'vocabularies/item.vocab')).toHaveLength(OWN_VALUES.item.length);
  });

  it('names all that the document leaves open, each with what to write', async () => {
    const open = join(folder, 'open.json');
    const { features } = structuredClone(OWN_CONTRACT);
    for (const feature of features) delete feature.fitted;
    const tables = { item: { type: 'int', vocabulary: {} } };
    writeFileSync(open, JSON.stringify({ ...OWN_CONTRACT, tables, features }));
    await expect(readOwnContract(open)).rejects.toMatchObject({
      code: 'CONTRACT_NOT_FITTED',
      problems: [
        `tables.item.vocabulary: give "values", a file that has them in the order of the model's ids`,
        'features.3: give fitted.boundaries',
        'features.6: give "standardise": false, or fitted.mean and fitted.standardDeviation',
      ],
    });
  });

  it('is refused as any contract is: with all problems at once', async () => {
    const wrong = join(folder, 'wrong.json');
    writeFileSync(wrong, JSON.stringify({ ...OWN_CONTRACT, contractVersion: 2, rowKeys: [] }));
    await expect(readOwnContract(wrong)).rejects.toMatchObject({ code: 'CONTRACT_INVALID' });
  });
});

describe('values of a table', () => {
  const int = { type: 'int', vocabulary: { minCount: 2, maxEntries: 100 }, missingValues: [-1] } as const;
  const definition = (type: 'int' | 'string') => ({
    ...int,
    type,
    vocabulary: { ...int.vocabulary },
    missingValues: [...int.missingValues],
  });
  const parquet = (name: string, columns: Parameters<typeof writeShard>[0]): string => {
    const uri = join(folder, `${name}.parquet`);
    writeFileSync(uri, writeShard(columns));
    return uri;
  };

  it('may be an object from value to id, rare and missing ones among them', async () => {
    const source = { '7': 2, '-1': 3, '5': 1 };
    const { entries, bytes } = await ownVocabulary(source, definition('int'), 'here');
    expect(valuesOfIds(bytes, { type: 'int', entries }, [1, 2, 3])).toEqual(['5', '7', '-1']);
  });

  it('may be none', async () => {
    const { entries, bytes } = await ownVocabulary([], definition('string'), 'here');
    expect(() => openVocabulary(bytes, { type: 'string', entries: 0 })).not.toThrow();
    expect(entries).toBe(0);
  });

  it('may be the only column of a Parquet file, over several row groups', async () => {
    const data = Array.from({ length: 50 }, (_, at) => `v${(at * 13) % 50}`);
    const uri = join(folder, 'groups.parquet');
    writeFileSync(uri, writeShard([{ name: 'city', type: 'STRING', data }], { rowGroupSize: 20 }));
    const { bytes } = await ownVocabulary(uri, definition('string'), uri);
    const ids = [1, 21, 50];
    expect(valuesOfIds(bytes, { type: 'string', entries: 50 }, ids)).toEqual(ids.map((id) => data[id - 1]!));
  });

  it('may be floats that are whole, as pandas writes integers', async () => {
    const uri = parquet('floats', [{ name: 'value', data: [7, -2, 5], type: 'DOUBLE' }]);
    const { bytes } = await ownVocabulary(uri, definition('int'), uri);
    expect(valuesOfIds(bytes, { type: 'int', entries: 3 }, [1, 2, 3])).toEqual(['7', '-2', '5']);
  });

  it.each<[string, 'int' | 'string', unknown, RegExp]>([
    ['a value twice', 'int', [1, 2, 1], /expected every value once, found 2 different ones in 3 rows/],
    ['a string among integers', 'int', [1, 'x'], /expected 64-bit integers.* found "x" at place 1/],
    ['a number that lost digits', 'int', [2 ** 53], /found 9007199254740992 at place 0/],
    ['a number among strings', 'string', ['a', 7], /expected strings, found 7 at place 1/],
    [
      'ids from 0',
      'int',
      { '5': 0, '6': 1 },
      /expected the ids 1 to 2, each once; 0 stands for .* found 0 in row/,
    ],
    ['an id twice', 'int', { '5': 1, '6': 1 }, /found 1 in row 1/],
    ['a number', 'int', 5, /expected a list of values, or an object from value to id, found number/],
  ])('are refused with %s', async (_, type, source, message) => {
    const read = ownVocabulary(source, definition(type), 'contract.json');
    await expect(read).rejects.toThrow(/^MODEL_VALUES_INVALID: contract\.json: /);
    await expect(read).rejects.toThrow(message);
  });

  it.each<[string, Parameters<typeof writeShard>[0], RegExp]>([
    [
      'nulls',
      [{ name: 'value', data: [1n, null, 3n], type: 'INT64' }],
      /a value in every row, found none in row 1/,
    ],
    [
      'another type',
      [{ name: 'value', data: ['a'], type: 'STRING' }],
      /a column 'value' of integers, found value: Utf8/,
    ],
    [
      'half a number',
      [{ name: 'value', data: [7, 0.5], type: 'DOUBLE' }],
      /expected a whole number between .*, found 0\.5/,
    ],
    [
      'two columns, none of them `value`',
      [
        { name: 'a', data: [1n], type: 'INT64' },
        { name: 'b', data: [1n], type: 'INT64' },
      ],
      /a column 'value' of integers, found a: Int64, b: Int64/,
    ],
  ])('are refused in a Parquet file with %s', async (name, columns, message) => {
    const uri = parquet(name, columns);
    await expect(ownVocabulary(uri, definition('int'), uri)).rejects.toThrow(message);
  });

  it('are refused beyond the bound of the table', async () => {
    const many = Array.from({ length: 101 }, (_, value) => value);
    await expect(ownVocabulary(many, definition('int'), 'here')).rejects.toThrow(
      'CONTRACT_VOCABULARY_TOO_LARGE',
    );
  });
});

test('the contract and the config that docs/own-model.md shows are valid, and fit each other', async () => {
  const page = readFileSync(new URL('../../docs/own-model.md', import.meta.url), 'utf8');
  const [document, config] = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, json]) => json!);
  const shown = join(folder, 'shown');
  mkdirSync(shown);
  writeFileSync(join(shown, 'items.parquet'), writeShard([{ name: 'value', data: [7n, 5n], type: 'INT64' }]));
  writeFileSync(join(shown, 'contract.json'), document!);
  const { contract } = await readOwnContract(join(shown, 'contract.json'));
  const parsed = parseOwnModelConfig(JSON.parse(config!), contract, undefined);
  const layout = featureLayout(contract);
  const graph = new GraphBuilder();
  const ids = graph.node('Cast', [graph.input('ids', ['B', 3], { elementType: 'int32' })], {
    shape: ['B', 3],
    attributes: [{ name: 'to', type: 2, i: 1 }],
  });
  const numbers = sigmoid(graph, add(graph, ids, graph.input('numbers', ['B', 3])));
  graph.output('pctr', slice(graph, numbers, 1, 0, 1));
  graph.output('pcvr', slice(graph, numbers, 1, 1, 2));
  const plan = directPlan(decodeModel(graph.build()), layout, parsed, 'model.onnx');
  expect(plan.map(({ values }) => values.map(({ feature, as }) => `${feature} ${as}`))).toEqual([
    ['item_id id', 'city id', 'hour id'],
    ['age number', 'age missing', 'price number'],
  ]);
});
