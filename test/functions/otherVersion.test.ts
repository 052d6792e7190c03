import { expect, it } from 'vitest';
import { handler as plan } from '../../functions/plan.ts';
import { handler as publish } from '../../functions/publish.ts';
import { handler as score } from '../../functions/score.ts';
import { setJob } from '../support/functions/jobVariable.ts';

// What an execution hands on that was begun by the code before a deployment. `later` stands for fields that nobody knows here.
const item = { formatVersion: 6, partition: 'dt=2024-03-09', later: 1 };
const context = { getRemainingTimeInMillis: () => 60_000 };

it.each([
  ['score', () => score({ ...item, parts: [] }, context)],
  ['publish', () => publish(item)],
  ['plan', () => plan({ step: 'planPartition', partition: { item, attempt: 1 } })],
])('what another version has planned, the %s function refuses by a code of its own', async (_, invoke) => {
  setJob({ input: 'in', scores: 'out', model: 'model' });
  await expect(invoke()).rejects.toMatchObject({
    code: 'PLAN_OTHER_VERSION',
    message: expect.stringMatching('expected format version 5, found 6'),
  });
});
