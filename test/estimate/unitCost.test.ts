import { expect, it } from 'vitest';
import { readPrices } from '../../lib/estimate/readPrices.ts';
import { unitCost } from '../../lib/estimate/unitCost.ts';

it('of units is their time and memory, their calls, and the state transitions of both', async () => {
  const prices = {
    ...(await readPrices()),
    dollarsPerGigabyteSecond: 1,
    dollarsPerMillionInvocations: 1e9,
    dollarsPerThousandStateTransitions: 1e8,
  };
  // One call takes four transitions, a further one three more.
  expect(unitCost([{ gigabyteSeconds: 7, calls: 1 }], prices)).toEqual({
    ...{ units: 1, counted: 1, calls: 1, gigabyteSeconds: 7 },
    dollars: 7 + 1000 + 400_000,
  });
  const two = unitCost([{ gigabyteSeconds: 7, calls: 3 }, null, { gigabyteSeconds: 2, calls: 1 }], prices);
  expect(two).toEqual({
    ...{ units: 3, counted: 2, calls: 4, gigabyteSeconds: 9 },
    dollars: 9 + 4000 + 1_400_000,
  });
  expect(unitCost([null], prices)).toMatchObject({ units: 1, counted: 0, dollars: 0 });
});
