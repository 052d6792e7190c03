import { describe, expect, test } from 'vitest';
import type { ScoringSession } from '../../lib/bundle/scoringSession.ts';
import { checkGoldenRows } from '../../lib/bundle/verifyModel.ts';
import { encodeGoldenRows } from '../../lib/bundle/writeBundle.ts';
import { parseContract } from '../../lib/features/contract.ts';
import { allocateEncodedRows } from '../../lib/features/encodedRows.ts';
import { featureLayout } from '../../lib/features/featureLayout.ts';
import { batchOf, doubles } from '../features/arrowBatches.ts';

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
    await checkGoldenRows(golden(0.25), CONTRACT, firstInputSession(), 'bundle');
    await expect(checkGoldenRows(golden(0.75), CONTRACT, firstInputSession(), 'bundle')).rejects.toThrow(
      'row 0, pctr: expected 0.75, found 0.25',
    );
  });

  test('a score never stands in for an optional column that the training shards lacked', async () => {
    const raw = batchOf({ price: doubles([1]) });
    const golden = encodeGoldenRows(raw, { pctr: Float32Array.of(0), pcvr: Float32Array.of(1) });
    await checkGoldenRows(golden, CONTRACT, firstInputSession(), 'bundle');
  });
});
