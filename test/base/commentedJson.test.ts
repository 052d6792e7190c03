import { describe, expect, it } from 'vitest';
import { decodeCommentedJson } from '../../lib/base/commentedJson.ts';

const description = { code: 'THING_INVALID', file: 's3://b/thing.json' };

describe('a document that people write', () => {
  const decode = (text: string) => decodeCommentedJson(new TextEncoder().encode(text), description);

  it('may hold comments and a comma behind the last item', () => {
    expect(decode('// head\n{ "a": [1, 2,], /* why */ "b": "http://x", }')).toEqual({
      a: [1, 2],
      b: 'http://x',
    });
  });

  it('names line and column of every fault, and the file', () => {
    expect(() => decode('{\n "a": 1\n "b": }')).toThrow(
      expect.objectContaining({
        code: 'THING_INVALID',
        location: { file: 's3://b/thing.json' },
        problems: ['line 3, column 2: expected a comma', 'line 3, column 7: expected a value'],
      }),
    );
  });

  it('says in words what is wrong, whatever it is', () => {
    const faulty = [
      '{"a" 1}',
      '{"a": 1',
      '[1',
      '{a: 1}',
      '1 2',
      '[a]',
      '1e',
      '"a',
      '"\\u12"',
      '"\\x"',
      '"\t"',
      '1 /* b',
    ];
    for (const text of faulty) {
      expect(() => decode(text), text).toThrow(/: (expected|a|an|no|not|neither) [ a-z,{}\]\\]+/);
      expect(() => decode(text), text).not.toThrow(/[a-z][A-Z]|: not JSON$/);
    }
  });

  it('that lies too deep in itself is refused by its code and file', () => {
    for (const text of ['['.repeat(200_000), '{"a":'.repeat(200_000)]) {
      expect(() => decode(text)).toThrow(
        expect.objectContaining({
          code: 'THING_INVALID',
          location: { file: 's3://b/thing.json' },
          problems: ['lists or objects lie too deep in one another'],
        }),
      );
    }
  });

  it('is not empty', () => {
    expect(() => decode('')).toThrow('expected a value');
  });
});
