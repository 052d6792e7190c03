import { DataType, Field, Float64, Int64, List, Map_, Struct, Utf8 } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import type { ColumnRequirement } from '../../lib/base/arrowColumns.ts';
import { Ncs4cvrError, ProblemsError } from '../../lib/base/errors.ts';
import { checkColumns } from '../../lib/parquet/checkColumns.ts';
import { openShard } from '../../lib/parquet/openShard.ts';
import { memoryFile } from './memoryFile.ts';
import { sampleShard, writeShard } from './sampleShards.ts';

function wanted(column: string, required = true): ColumnRequirement {
  return { column, required, accepts: (type) => DataType.isInt(type), expected: 'an integer' };
}

async function checkError(columns: ColumnRequirement[], bytes = sampleShard()): Promise<unknown> {
  const shard = await openShard(memoryFile(bytes));
  try {
    checkColumns(shard, columns);
  } catch (error) {
    return error;
  }
  throw new Error('checkColumns did not throw');
}

describe('checkColumns', () => {
  it('returns the optional columns that are absent', async () => {
    const shard = await openShard(memoryFile(sampleShard()));
    expect(checkColumns(shard, [wanted('id'), wanted('age', false)])).toEqual(new Set(['age']));
  });

  it('names a missing required column and what is there instead', async () => {
    const error = await checkError([wanted('age')]);
    expect(error).toBeInstanceOf(Ncs4cvrError);
    expect((error as Ncs4cvrError).message).toBe(
      "SHARD_COLUMN_MISSING: memory.parquet, column 'age': no such column " +
        "(expected an integer, found 'id', 'city', 'price')",
    );
  });

  it('lists a column that differs only in case or punctuation first, and shortens the list', async () => {
    const columns = Array.from({ length: 30 }, (_, index) => ({
      name: index === 29 ? 'videoId' : `c${index}`,
      type: 'INT32' as const,
      data: [1],
    }));
    const error = await checkError([wanted('video_id')], writeShard(columns));
    expect((error as Ncs4cvrError).found).toMatch(/^'videoId', 'c0', .*'c10' and 18 more$/);
  });

  it('refuses a path into a list or a map, of an optional column too, with what to do', () => {
    const field = (name: string, type: DataType) => new Field(name, type, true);
    const item = new Struct([field('id', new Int64()), field('net', new Float64())]);
    const entries = new Struct([field('key', new Utf8()), field('value', new Int64())]);
    const types: [string, DataType][] = [
      ['items', new List(field('element', item))],
      ['user.items', new List(field('element', item))],
      ['extra', new Map_(field('entries', entries) as never)],
      ['pages', new List(field('element', new List(field('element', new Utf8()))))],
      ['plain', new List(field('element', new Int64()))],
    ];
    const shard = {
      ...{ uri: 'x', unreadableColumns: new Map() },
      schema: { fields: types.map(([name, type]) => field(name, type)) },
    };
    const refusal = (column: string) => {
      try {
        return checkColumns(shard as never, [wanted(column, false)]);
      } catch (error) {
        return (error as Error).message;
      }
    };
    const inList =
      'fields of structs in a list are no columns; where the shard is written, make a list of one field, ';
    expect(refusal('items.list.element.id')).toBe(
      `SHARD_COLUMN_MISSING: x, column 'items.list.element.id': no such column: ${inList}` +
        'transform(items, x -> x.id), or a row of each struct, UNNEST(items) (expected an integer, found ' +
        "'items', 'user.items', 'extra', 'pages', 'plain')",
    );
    expect(refusal('user.items.none')).toContain(`${inList}transform(user.items, x -> x.id)`);
    expect(refusal('extra.colour')).toContain("make a column of each that matters: extra['key'] (");
    expect(refusal('pages.0')).toContain('lists within a list are not read');
    // Nothing is known of what was meant: the column is absent.
    expect(refusal('plain.id')).toEqual(new Set(['plain.id']));
    expect(refusal('other.id')).toEqual(new Set(['other.id']));
  });

  it('suggests the column that was most likely meant: another case, a slip, a field of a struct', () => {
    const names = ['VideoID', 'city', 'user.device.os', 'a.x', 'b.x'];
    const shard = {
      ...{ uri: 'x', unreadableColumns: new Map([['price', 'odd type']]) },
      schema: { fields: names.map((name) => ({ name, type: null })) },
    };
    const suggested = (column: string) => {
      try {
        checkColumns(shard as never, [wanted(column)]);
      } catch (error) {
        return /: no such column(?:, did you mean "(.*?)"\?)? \(/.exec((error as Error).message)![1];
      }
      return undefined;
    };
    expect(
      ['videoid', 'video_id', 'citty', 'os', 'User.Device.OS', 'prices', 'x', 'weight'].map(suggested),
    ).toEqual([
      ...['VideoID', 'VideoID', 'city', 'user.device.os', 'user.device.os', 'price', undefined, undefined],
    ]);
    expect(() => checkColumns(shard as never, [wanted('citi'), wanted('weight')])).toThrow(
      /column 'citi': no such column, did you mean "city"\? \(expected an integer\)/,
    );
  });

  it('names a column of the wrong type, also when it is optional', async () => {
    const error = await checkError([wanted('city', false)]);
    expect(error).toMatchObject({
      code: 'SHARD_COLUMN_TYPE',
      location: { file: 'memory.parquet', column: 'city' },
      expected: 'an integer',
      found: 'Utf8',
    });
  });

  it('gives the reason for a column that cannot be read', () => {
    const shard = { uri: 'x', schema: { fields: [] }, unreadableColumns: new Map([['id', 'odd type']]) };
    expect(() => checkColumns(shard as never, [wanted('id', false)])).toThrow(
      /^SHARD_COLUMN_TYPE: x, column 'id': the column cannot be read .*found odd type/,
    );
  });

  it('reports several problems at once', async () => {
    const error = await checkError([wanted('age'), wanted('id'), wanted('price')]);
    expect(error).toBeInstanceOf(ProblemsError);
    expect(error).toMatchObject({ code: 'SHARD_COLUMNS', location: { file: 'memory.parquet' } });
    expect((error as ProblemsError).problems).toEqual([
      expect.stringContaining('SHARD_COLUMN_MISSING'),
      expect.stringContaining('SHARD_COLUMN_TYPE'),
    ]);
  });
});
