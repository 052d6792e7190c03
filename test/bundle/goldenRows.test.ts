import { describe, expect, test } from 'vitest';
import { Ncs4cvrError } from '../../lib/base/errors.ts';
import { RandomStream } from '../../lib/base/randomStream.ts';
import type { ScoringSession } from '../../lib/bundle/scoringSession.ts';
import { checkGoldenRows } from '../../lib/bundle/verifyModel.ts';
import { encodeGoldenRows } from '../../lib/bundle/writeBundle.ts';
import { parseContract } from '../../lib/features/contract.ts';
import { allocateEncodedRows } from '../../lib/features/encodedRows.ts';
import { featureLayout } from '../../lib/features/featureLayout.ts';
import { batchOf, doubles, int64Lists, strings } from '../features/arrowBatches.ts';

/** Reads 'pctr' and 'price', both optional, as they are. */
const CONTRACT = parseContract({
  contractVersion: 1,
  rowKeys: ['id'],
  features: ['pctr', 'price'].map((column) => ({
    kind: 'numeric',
    column,
    required: false,
    standardise: false,
  })),
});

/** As it is fitted: there is nothing to learn. */
const FITTED = { contract: CONTRACT, vocabularies: new Map() };

/** A model whose pCTR is the first dense input and whose pCVR tells whether it is missing. */
function firstInputSession(): ScoringSession {
  const rows = allocateEncodedRows(featureLayout(CONTRACT), 512);
  const score = async (rowCount: number) => {
    const pick = (offset: number) =>
      Float32Array.from({ length: rowCount }, (_, row) => rows.dense[4 * row + offset]!);
    const [pctr, pcvr] = [pick(0), pick(1)];
    return { pctr, pcvr, pctcvr: pctr.map((p, row) => p * pcvr[row]!) };
  };
  return { rows, score } as unknown as ScoringSession;
}

describe('golden rows', () => {
  test('a feature column that is called as a score is told apart from the score', async () => {
    const raw = batchOf({ pctr: doubles([0.25, 0.5]), price: doubles([1, 2]) });
    const golden = (first: number) =>
      encodeGoldenRows(raw, { pctr: Float32Array.of(first, 0.5), pcvr: Float32Array.of(0, 0) });
    await checkGoldenRows(golden(0.25), FITTED, firstInputSession(), 'bundle');
    await expect(checkGoldenRows(golden(0.75), FITTED, firstInputSession(), 'bundle')).rejects.toThrow(
      'row 0, pctr: expected 0.75, found 0.25',
    );
  });

  test('a score never stands in for an optional column that the training shards lacked', async () => {
    const raw = batchOf({ price: doubles([1]) });
    const golden = encodeGoldenRows(raw, { pctr: Float32Array.of(0), pcvr: Float32Array.of(1) });
    await checkGoldenRows(golden, FITTED, firstInputSession(), 'bundle');
  });

  test('that are scored as NaN, or carry NaN as the score they were given, are no match', async () => {
    const raw = batchOf({ pctr: doubles([0.25]), price: doubles([1]) });
    const golden = (pctr: number) =>
      encodeGoldenRows(raw, { pctr: Float32Array.of(pctr), pcvr: Float32Array.of(0) });
    const broken = firstInputSession();
    const score = async () => {
      const [pctr, pcvr] = [Float32Array.of(Number.NaN), Float32Array.of(0)];
      return { pctr, pcvr, pctcvr: pctr };
    };
    await expect(
      checkGoldenRows(golden(0.25), FITTED, { ...broken, score } as never, 'bundle'),
    ).rejects.toThrow('row 0, pctr: expected 0.25, found NaN');
    await expect(checkGoldenRows(golden(Number.NaN), FITTED, broken, 'bundle')).rejects.toThrow(
      'row 0, pctr: expected NaN, found 0.25',
    );
  });
});

describe('damaged golden rows', () => {
  const contract = parseContract({
    contractVersion: 1,
    rowKeys: ['id'],
    features: [
      {
        kind: 'list',
        column: 'ids',
        table: { type: 'int', hash: { buckets: 9 } },
        maxLength: 3,
        keep: 'first',
      },
      { kind: 'categorical', column: 'city', table: { type: 'string', hash: { buckets: 9 } } },
      { kind: 'numeric', column: 'price', standardise: false },
    ],
  });
  const fitted = { contract, vocabularies: new Map() };
  const count = 20;
  const rows = Array.from({ length: count }, (_, row) => row);
  const golden = encodeGoldenRows(
    batchOf({
      ids: int64Lists(rows.map((row) => (row % 3 === 0 ? null : [row, row + 1]))),
      city: strings(rows.map((row) => (row % 4 === 0 ? null : `city ${row}`))),
      price: doubles(rows.map((row) => (row % 5 === 0 ? null : row))),
    }),
    { pctr: new Float32Array(count), pcvr: new Float32Array(count) },
  );
  /** Scores every row 0. */
  const zeros = (rowsOf = () => allocateEncodedRows(featureLayout(contract), 512)): ScoringSession => {
    const scores = (rowCount: number) => new Float32Array(rowCount);
    return {
      get rows() {
        return rowsOf();
      },
      score: async (rowCount: number) => ({
        pctr: scores(rowCount),
        pcvr: scores(rowCount),
        pctcvr: scores(rowCount),
      }),
    } as unknown as ScoringSession;
  };

  test('are accepted or refused with a code, within seconds, whichever of their bytes are others', async () => {
    await checkGoldenRows(golden, fitted, zeros(), 'bundle');
    const random = new RandomStream(2);
    const codes = new Map<string, number>();
    for (let trial = 0; trial < 500; trial++) {
      const broken = Uint8Array.from(golden);
      for (let hit = 0; hit <= random.nextBelow(3); hit++) {
        broken[random.nextBelow(broken.length)] = random.nextBelow(4) === 0 ? 255 : random.nextBelow(256);
      }
      const started = performance.now();
      const check = checkGoldenRows(broken, fitted, zeros(), 'bundle', 300);
      const error = await check.catch((thrown: unknown) => thrown);
      expect(performance.now() - started).toBeLessThan(5000);
      if (error === undefined) continue;
      expect(error).toBeInstanceOf(Ncs4cvrError);
      const { code } = error as Ncs4cvrError;
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    expect(codes.get('BUNDLE_GOLDEN_INVALID')).toBeGreaterThan(70);
    expect(codes.get('BUNDLE_GOLDEN_MISMATCH')).toBeGreaterThan(20);
    // apache-arrow itself doesn't end with a few of them.
    expect(codes.get('BUNDLE_VERIFICATION_TIMEOUT')).toBeGreaterThan(0);
    expect(codes.size).toBe(3);
  });

  test('end after a time limit whatever they make the encoder do', async () => {
    const endless = zeros(() => {
      for (;;);
    });
    const started = performance.now();
    await expect(checkGoldenRows(golden, fitted, endless, 'bundle', 200)).rejects.toMatchObject({
      code: 'BUNDLE_VERIFICATION_TIMEOUT',
      location: { file: 'bundle' },
      expected: 'at most 200 ms',
    });
    expect(performance.now() - started).toBeGreaterThan(150);
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
