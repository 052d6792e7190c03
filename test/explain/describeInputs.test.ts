import { DateDay, FixedSizeBinary, makeData, TimestampMicrosecond } from 'apache-arrow';
import { expect, test } from 'vitest';
import { describeInputs } from '../../lib/explain/describeInputs.ts';
import { allocateEncodedRows } from '../../lib/features/encodedRows.ts';
import { FeatureEncoder } from '../../lib/features/featureEncoder.ts';
import { batchOf, columnOf, doubles } from '../features/arrowBatches.ts';
import { vocabulary } from '../features/encodeBatch.ts';
import { fittedContract } from '../features/fittedVocabularies.ts';

test('what a shard holds is told as it stands: floats that are ids, bytes as digits, times in UTC', () => {
  const { contract, vocabularies } = fittedContract({
    ...{ contractVersion: 1, rowKeys: ['id'] },
    features: [
      { kind: 'categorical', column: 'user', table: { type: 'int', ...vocabulary('7') } },
      { kind: 'categorical', column: 'code', table: { type: 'string', ...vocabulary('ff00') } },
      { kind: 'numeric', column: 'at', from: 'hour', standardise: false },
      { kind: 'numeric', name: 'far', column: 'far', from: 'hour', standardise: false },
      { kind: 'numeric', column: 'day', from: 'weekday', standardise: false },
    ],
  });
  const encoder = new FeatureEncoder(contract, vocabularies);
  const moment = (micros: bigint) =>
    makeData({ type: new TimestampMicrosecond(), data: BigInt64Array.of(micros) });
  const batch = batchOf({
    user: doubles([7]),
    code: columnOf(new FixedSizeBinary(2), [Uint8Array.of(255, 0)]),
    at: moment(1_700_000_000_123_456n),
    far: moment(2n ** 63n - 1n),
    day: columnOf(new DateDay(), [new Date('2024-02-29')]),
  });
  const inputs = describeInputs(contract, encoder, batch, 0, allocateEncodedRows(encoder.layout, 1));
  expect(inputs.map(({ raw }) => raw)).toEqual([
    '7',
    'ff00',
    '2023-11-14T22:13:20.123Z',
    '9223372036854775807',
    '2024-02-29T00:00:00.000Z',
  ]);
  expect(inputs.map(({ encoded }) => encoded)).toMatchObject([
    { id: 1 },
    { id: 1 },
    { value: 22 },
    {},
    { value: 4 },
  ]);
});
