import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../lib/base/digest.ts';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { checkVocabulary } from '../../lib/features/checkVocabulary.ts';
import {
  createIntLookup,
  DenseIntVocabulary,
  HashedIntVocabulary,
  type IntLookup,
} from '../../lib/features/intVocabulary.ts';
import type { StringLookup } from '../../lib/features/stringIndex.ts';
import { openVocabulary, valuesOfIds } from '../../lib/features/vocabulary.ts';
import { vocabularyPath } from '../../lib/features/vocabularyFile.ts';
import { readVocabulary, vocabularyOf } from './fittedVocabularies.ts';
import { INT64, int64Arbitrary, ranksOf, textRanksOf } from './lookUp.ts';

/** Opened after its check, as a bundle's are. */
function opened<Type extends 'int' | 'string'>(type: Type, values: readonly string[]) {
  const bytes = vocabularyOf(type, values);
  const expected = { type, entries: values.length };
  checkVocabulary(bytes, expected);
  expect(readVocabulary(bytes)).toEqual(values);
  return openVocabulary(bytes, expected) as unknown as Type extends 'int' ? IntLookup : StringLookup;
}

/** The values that a file says it holds are found under the ids that it says they have. */
function expectFound(bytes: Uint8Array, type: 'int' | 'string', entries: number): void {
  const found = readVocabulary(bytes);
  const lookup = openVocabulary(bytes, { type, entries });
  const ranks =
    type === 'int'
      ? ranksOf(lookup as IntLookup, found.map(BigInt))
      : textRanksOf(lookup as StringLookup, found);
  expect(ranks).toEqual(found.map((_, index) => index + 1));
}

const denseArbitrary = fc.uniqueArray(fc.bigInt({ min: -20n, max: 60n }));
const sparseArbitrary = fc.uniqueArray(int64Arbitrary, { maxLength: 300, size: 'max' });
const textsArbitrary = fc.uniqueArray(
  fc.oneof(fc.string({ maxLength: 3 }), fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' })),
  { maxLength: 200, size: 'max' },
);
/** The same texts as they are after a round trip through UTF-8. */
const wellFormed = (texts: readonly string[]) => [
  ...new Set(texts.map((text) => Buffer.from(text).toString())),
];

describe('a vocabulary of integers', () => {
  it('gives 1 + position of listed integers and 0 for all others, dense or hashed', () => {
    fc.assert(
      fc.property(fc.oneof(denseArbitrary, sparseArbitrary), fc.array(int64Arbitrary), (listed, asked) => {
        const queries = [...listed, ...asked];
        const expected = queries.map((value) => listed.indexOf(value) + 1);
        expect(ranksOf(opened('int', listed.map(String)), queries)).toEqual(expected);
        expect(ranksOf(createIntLookup(listed.map(String)), queries)).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  it('gives few values a table of their whole range only where that is short', () => {
    for (const values of [[0, 1, 2], Array.from({ length: 5_000 }, (_, i) => i - 9)]) {
      expect(opened('int', values.map(String))).toBeInstanceOf(DenseIntVocabulary);
    }
    // As a table, the first would take 4 MiB, and the others more memory than there is.
    for (const values of [
      [0, 2 ** 20],
      [-(2 ** 20), 0],
      [String(INT64.min), String(INT64.max)],
    ]) {
      const lookup = opened('int', values.map(String));
      expect(lookup).toBeInstanceOf(HashedIntVocabulary);
      expect(ranksOf(lookup, [...values.map(BigInt), 1n])).toEqual([1, 2, 0]);
    }
  });

  it('tells a dense value from integers that share its low half', () => {
    const lookup = opened('int', ['0', '1', '2', '-1']);
    const asked = [1n, (1n << 32n) | 1n, (-1n << 32n) | 1n, -1n, 0xffffffffn];
    expect(ranksOf(lookup, asked)).toEqual([2, 0, 0, 4, 0]);
  });

  it('keeps apart integers with equal hashes, and orders them as signed numbers', () => {
    // low * 0x85ebca6b ^ high * 0xc2b2ae35 is what is hashed: for any high half there is one low half with a given result.
    const inverse = [1, 2, 3, 4, 5].reduce((x) => Math.imul(x, 2 - Math.imul(0x85ebca6b, x)), 0x85ebca6b);
    expect(Math.imul(inverse, 0x85ebca6b)).toBe(1);
    const values = Array.from({ length: 1000 }, (_, i) => {
      const high = i - 500;
      const low = Math.imul(Math.imul(high, 0xc2b2ae35) ^ 12345, inverse);
      return (BigInt(high) << 32n) | BigInt(low >>> 0);
    });
    const lookup = opened('int', values.map(String));
    expect(ranksOf(lookup, [...values, values[0]! + 1n])).toEqual([...values.map((_, at) => at + 1), 0]);
  });

  it.each([
    ['consecutive', (i: number) => 10_000_000n + BigInt(i)],
    ['multiples of 1,024', (i: number) => 1024n * BigInt(i) + 2n ** 40n],
    ['different only above bit 40', (i: number) => (BigInt(i) << 40n) | 5n],
    [
      'times in milliseconds with a counter, as snowflakes',
      (i: number) => ((1_700_000_000_000n + BigInt(i >> 3)) << 22n) | BigInt(i & 7),
    ],
  ])(
    'of 100,000 that are %s finds each without a walk through the others',
    (_title, valueAt) => {
      const values = Array.from({ length: 100_000 }, (_, i) => valueAt(i));
      const lookup = opened('int', values.map(String));
      expect(ranksOf(lookup, values)).toEqual(values.map((_, at) => at + 1));
      expect(ranksOf(lookup, [valueAt(100_001), -5n])).toEqual([0, 0]);
    },
    15_000,
  );
});

describe('a vocabulary of strings', () => {
  it('gives 1 + position of listed strings and 0 for all others', () => {
    fc.assert(
      fc.property(textsArbitrary, fc.array(fc.string({ maxLength: 3 })), (drawn, asked) => {
        const listed = wellFormed(drawn);
        const queries = [...listed, ...wellFormed(asked)];
        const expected = queries.map((text) => listed.indexOf(text) + 1);
        expect(textRanksOf(opened('string', listed), queries)).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });

  it('keeps strings apart whose 32-bit hashes are equal, and a string from its own beginning', () => {
    // Known collisions of FNV-1a; the last seven bytes of `userwkaghvl` lead its state back to where it was.
    const asked = ['costarring', 'declinate', 'liquid', 'macallums', 'user', 'userwkaghvl', 'wkaghvl', ''];
    expect(textRanksOf(opened('string', ['declinate', 'costarring']), asked)).toEqual([
      2, 1, 0, 0, 0, 0, 0, 0,
    ]);
    expect(textRanksOf(opened('string', ['userwkaghvl']), asked)).toEqual([0, 0, 0, 0, 0, 1, 0, 0]);
    expect(textRanksOf(opened('string', ['user', 'wkaghvl']), asked)).toEqual([0, 0, 0, 0, 1, 0, 2, 0]);
    expect(textRanksOf(opened('string', ['']), asked)).toEqual([0, 0, 0, 0, 0, 0, 0, 1]);
  });

  it('holds 100,000 strings, one of them longer than all others, and finds each without a walk through the others', () => {
    const texts = [...Array.from({ length: 99_999 }, (_, i) => `user-${i}`), 'x'.repeat(2 ** 22)];
    const lookup = opened('string', texts);
    expect(textRanksOf(lookup, texts)).toEqual(texts.map((_, at) => at + 1));
    expect(textRanksOf(lookup, ['user-100000'])).toEqual([0]);
  }, 15_000);
});

/** Of bytes that another program has written after vocabularyFile.ts. */
const PINNED = {
  dense: '8a2db41001cd29be2f8aa818c0ed0dd6bca4bbc5e77a308b6bdf2e191b47317c',
  hashed: '79a54b0f07ddb7db91aa363a5de6f6157a608d5579c87a184ce80df63493e3a3',
  text: '1c666f94304f4aaaa26bfc43b51d3dd6e62a75f79b28933efaf11d98650f7f37',
};

describe('the bytes of a vocabulary file', () => {
  it.each([
    ['int', ['3', '0', '-1'], 'dense'],
    ['int', ['9007199254740993', '-5', '0', '4294967296'], 'hashed'],
    ['string', ['été', '', 'b', 'declinate', 'costarring'], 'text'],
  ] as const)('are pinned, for bundles carry them: %s %j', (type, values, layout) => {
    expect(sha256(vocabularyOf(type, values))).toBe(PINNED[layout]);
  });

  it('lie in shared memory, which threads get by reference', () => {
    for (const [type, values] of [
      ['int', ['1']],
      ['int', [String(2n ** 60n)]],
      ['string', ['a']],
    ] as const) {
      expect(vocabularyOf(type, values).buffer).toBeInstanceOf(SharedArrayBuffer);
    }
  });

  it('give the text of any ids, in the order asked for', () => {
    const towns = ['Ulm', 'Hof', '北京'];
    expect(valuesOfIds(vocabularyOf('string', towns), { type: 'string', entries: 3 }, [3, 1, 3])).toEqual([
      '北京',
      'Ulm',
      '北京',
    ]);
    for (const ids of [
      ['7', '-9', '8'],
      ['7', String(INT64.min), '8'],
    ]) {
      expect(valuesOfIds(vocabularyOf('int', ids), { type: 'int', entries: 3 }, [2, 3])).toEqual([
        ids[1],
        ids[2],
      ]);
    }
  });

  it('have a path below the bundle that every file system takes, for whatever a column is called', () => {
    expect(vocabularyPath('video_id')).toBe('vocabularies/video_id.vocab');
    expect(vocabularyPath('a/../b c')).toBe('vocabularies/a%2F..%2Fb%20c.vocab');
    expect(vocabularyPath('..')).toBe('vocabularies/%2E..vocab');
    expect(vocabularyPath('été')).toBe('vocabularies/%C3%A9t%C3%A9.vocab');
    const long = ['x'.repeat(300), `${'x'.repeat(299)}y`].map(vocabularyPath);
    expect(new Set(long).size).toBe(2);
    for (const path of long) expect(path.length).toBeLessThan(220);
  });
});

describe('a damaged vocabulary file', () => {
  const whole: [type: 'int' | 'string', values: string[]][] = [
    ['int', Array.from({ length: 40 }, (_, i) => String(3 * i - 20))],
    ['int', Array.from({ length: 40 }, (_, i) => String(BigInt(i) * 2n ** 33n - 7n))],
    ['string', Array.from({ length: 40 }, (_, i) => `town-${i * i}`)],
  ];
  const damage = (
    bytes: Uint8Array,
    change: (copy: Uint8Array, view: DataView) => Uint8Array | undefined,
  ) => {
    const copy = Uint8Array.from(bytes);
    return change(copy, new DataView(copy.buffer)) ?? copy;
  };

  it('gives an error with a code, or is as right as it was: every bit of every byte', () => {
    for (const [type, values] of whole) {
      const bytes = vocabularyOf(type, values);
      const expected = { type, entries: values.length };
      let passed = 0;
      for (let at = 0; at < bytes.length; at++) {
        for (let bit = 0; bit < 8; bit++) {
          const spoilt = damage(bytes, (copy) => {
            copy[at]! ^= 1 << bit;
            return copy;
          });
          const problem = problemOf(() => checkVocabulary(spoilt, expected));
          if (problem !== undefined) {
            expect(problem).toMatchObject({ code: 'BUNDLE_VOCABULARY_INVALID' });
            continue;
          }
          passed++;
          // Another value in the same order, or ids in another one, are told by the digest alone.
          expectFound(spoilt, type, values.length);
        }
      }
      expect(passed).toBeLessThan(8 * bytes.length);
    }
  });

  it.each<[string, (copy: Uint8Array, view: DataView) => Uint8Array | undefined]>([
    ['cut short', (copy) => copy.subarray(0, -1)],
    ['longer', (copy) => Buffer.concat([copy, Buffer.of(0)])],
    ['empty', () => new Uint8Array(0)],
    ['of another format', (_, view) => void view.setUint32(8, 2, true)],
    ['of a layout that is none', (_, view) => void view.setUint32(12, 4, true)],
    ['with fewer entries', (_, view) => void view.setUint32(16, 39, true)],
  ])('%s is refused', (_title, change) => {
    for (const [type, values] of whole) {
      const spoilt = damage(vocabularyOf(type, values), change);
      expect(problemOf(() => checkVocabulary(Uint8Array.from(spoilt), { type, entries: 40 }))).toMatchObject({
        code: 'BUNDLE_VOCABULARY_INVALID',
      });
    }
  });

  it('of a value that is there twice, or of ids that are not 1 to the number of entries, is refused', () => {
    for (const [type, values] of whole) {
      const twice = [...values.slice(1), values[1]!];
      expect(
        problemOf(() => checkVocabulary(vocabularyOf(type, twice), { type, entries: 40 })),
      ).toBeDefined();
    }
  });

  it('of the other type, or of another number of entries than the contract has, is refused', () => {
    const integers = vocabularyOf('int', ['1']);
    expect(problemOf(() => openVocabulary(integers, { type: 'string', entries: 1 }))).toBeDefined();
    expect(
      problemOf(() => openVocabulary(vocabularyOf('string', ['1']), { type: 'int', entries: 1 })),
    ).toBeDefined();
    expect(problemOf(() => openVocabulary(integers, { type: 'int', entries: 2 }))).toBeDefined();
  });

  it('with random changes never hangs a lookup that its check lets through', () => {
    const random = new RandomStream(4);
    for (let round = 0; round < 2000; round++) {
      const [type, values] = whole[round % 3]!;
      const expected = { type, entries: values.length };
      const spoilt = damage(vocabularyOf(type, values), (copy) => {
        for (let changes = 1 + random.nextBelow(4); changes > 0; changes--) {
          copy[random.nextBelow(copy.length)] = random.nextBelow(256);
        }
        return copy;
      });
      if (problemOf(() => checkVocabulary(spoilt, expected)) !== undefined) continue;
      expectFound(spoilt, type, values.length);
    }
  });
});

function problemOf(attempt: () => unknown): unknown {
  try {
    attempt();
  } catch (error) {
    return error;
  }
  return undefined;
}
