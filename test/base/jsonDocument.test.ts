import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Ncs4cvrError, ProblemsError } from '../../lib/base/errors.ts';
import {
  decodeDocument,
  decodeJson,
  encodeJson,
  isRecord,
  parseDocument,
} from '../../lib/base/jsonDocument.ts';

const schema = z.strictObject({
  rows: z.int().min(1),
  names: z.array(z.string()).default([]),
  table: z.union([z.string(), z.strictObject({ size: z.int() })]).optional(),
});
const description = { code: 'THING_INVALID', summary: 'the thing is invalid', file: 's3://b/thing.json' };

function errorOf(work: () => unknown): Ncs4cvrError {
  try {
    work();
  } catch (error) {
    if (error instanceof Ncs4cvrError) return error;
    throw error;
  }
  throw new Error('the document was taken');
}
const problemsOf = (work: () => unknown) => (errorOf(work) as ProblemsError).problems;

describe('a document', () => {
  it('comes back with its defaults', () => {
    expect(parseDocument({ rows: 2 }, schema, description)).toEqual({ rows: 2, names: [] });
    expect(decodeDocument(encodeJson({ rows: 2 }), schema, description)).toEqual({ rows: 2, names: [] });
    expect(decodeDocument('{"rows": 2}', schema, description)).toEqual({ rows: 2, names: [] });
  });

  it('that is wrong in several places has all of them in one error, with code, summary and file', () => {
    const error = errorOf(() => parseDocument({ rows: 'x', names: ['a', 1], more: 1 }, schema, description));
    expect(error).toBeInstanceOf(ProblemsError);
    expect(error.location).toEqual({ file: 's3://b/thing.json' });
    expect(error.message.split('\n')).toEqual([
      'THING_INVALID: s3://b/thing.json: the thing is invalid',
      '  - rows: Invalid input: expected number, received string',
      '  - names.1: Invalid input: expected string, received number',
      '  - document: Unrecognized key: "more"',
    ]);
  });

  it('that is within another one has its problems named from there', () => {
    const options = { ...description, path: 'arms.mmoe', crossCheck: () => ['rows: odd'] };
    expect(problemsOf(() => parseDocument({ rows: 0 }, schema, options))).toEqual([
      expect.stringMatching(/^arms\.mmoe\.rows: Too small/),
      'arms.mmoe.rows: odd',
    ]);
    expect(problemsOf(() => parseDocument(5, schema, { ...description, path: 'arms.mmoe' }))).toEqual([
      'arms.mmoe: Invalid input: expected object, received number',
    ]);
  });

  it('that fits its schema is still refused by a cross-check, which sees the defaults', () => {
    const crossCheck = (value: z.infer<typeof schema> | undefined) =>
      value?.names.length === 0 ? ['names: give one'] : [];
    expect(problemsOf(() => parseDocument({ rows: 1 }, schema, { ...description, crossCheck }))).toEqual([
      'names: give one',
    ]);
    expect(parseDocument({ rows: 1, names: ['a'] }, schema, { ...description, crossCheck }).rows).toBe(1);
  });

  it('that does not fit is cross-checked too, for what can be told without the schema', () => {
    const crossCheck = (value: unknown) => [value === undefined ? 'table: unknown' : 'never'];
    expect(problemsOf(() => parseDocument({}, schema, { ...description, crossCheck }))).toEqual([
      'rows: Invalid input: expected number, received undefined',
      'table: unknown',
    ]);
  });

  it('with a union is described by the branch that was meant', () => {
    expect(problemsOf(() => parseDocument({ rows: 1, table: { size: 'x' } }, schema, description))).toEqual([
      'table.size: Invalid input: expected number, received string',
    ]);
    expect(problemsOf(() => parseDocument({ rows: 1, table: 5 }, schema, description))).toEqual([
      'table: Invalid input: expected string or object',
    ]);
  });
});

describe('what is no JSON', () => {
  it.each(['', '{"rows": 1', 'PAR1'])('is refused with the same code and the file: %j', (text) => {
    const error = errorOf(() => decodeDocument(new TextEncoder().encode(text), schema, description));
    expect(error).toMatchObject({ code: 'THING_INVALID', location: { file: 's3://b/thing.json' } });
    expect(error.message).toMatch(/^THING_INVALID: s3:\/\/b\/thing\.json: not JSON: [^\n]+$/);
    expect(error.cause).toBeInstanceOf(SyntaxError);
  });

  it('has no place in the message when it came without a file', () => {
    expect(errorOf(() => decodeJson('x', { code: 'EVENT_INVALID' })).message).toMatch(
      /^EVENT_INVALID: not JSON/,
    );
  });
});

it('a record is a JSON object, not an array and not null', () => {
  expect([{}, { a: 1 }, [], null, 'a', undefined].map(isRecord)).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});
