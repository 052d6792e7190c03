import { describe, expect, it } from 'vitest';
import type { ScoredUnit } from '../../lib/publish/scoreUnit.ts';
import type { WorkUnit } from '../../lib/publish/workUnit.ts';
import { funnelRows } from '../fixtures/tinyFunnel.ts';
import { expectRows } from '../publish/partitionUnderTest.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { DeployedFunctions } from './deployedFunctions.ts';

// One unit of three parts, and an invocation that has no time for all of them.
const s3 = testEndpoint();
const lambda = new DeployedFunctions(s3);
const shards = [funnelRows('2024-03-09', 3), funnelRows('2024-03-10', 80), funnelRows('2024-03-11', 10)];

async function plannedUnit(): Promise<WorkUnit> {
  // A part ends after each of these names.
  for (const [i, rows] of shards.entries()) lambda.land(`${47 + i}.parquet`, rows);
  const [unit, ...others] = await lambda.plannedUnits();
  expect(others).toEqual([]);
  expect(unit!.parts.map(({ rows }) => rows)).toEqual([3, 80, 10]);
  return unit!;
}

describe('a unit that there is no time for', () => {
  it('keeps what is scored, and is answered with the rest', async () => {
    const unit = await plannedUnit();
    // Three rows in two seconds: at that speed the next part would take a minute.
    s3.double!.options = {
      fault: ({ method, key }) =>
        method === 'PUT' && key.includes('/parts/') ? { kind: 'stall', millis: 2_000 } : undefined,
    };
    const answer = await lambda.functions.score.invoke(unit, { timeoutMillis: 45_000 });
    s3.double!.options = {};
    expect(lambda.keys('receipts')).toHaveLength(1);
    expect(answer).toMatchObject({ partsScored: 1, rest: { ...unit, parts: unit.parts.slice(1) } });
    expect(lambda.functions.score.logRecords()).toContainEqual(
      expect.objectContaining({ level: 'INFO', partsScored: 1, rowsScored: 3, handedOn: 2 }),
    );
    await lambda.deliverAll();
    await expectRows(lambda.place, lambda.model.bundle, ...shards);
  });

  it('is answered with the rest, one part nearer to the end each time', async () => {
    let rest: WorkUnit | undefined = await plannedUnit();
    const scored: number[] = [];
    while (rest !== undefined) {
      const { unit, rows } = await invokeBriefly(rest);
      scored.push(rows);
      rest = unit;
    }
    expect(scored).toEqual([3, 80, 10]);
    await lambda.deliverAll();
    await expectRows(lambda.place, lambda.model.bundle, ...shards);
  });
});

it('a call whose storage never answers says so before Lambda ends it, and the same process scores the unit next', async () => {
  const unit = await plannedUnit();
  s3.double!.options = {
    fault: ({ method, key }) =>
      method === 'PUT' && key.includes('/parts/') ? { kind: 'stall', millis: 20_000 } : undefined,
  };
  const stalled = lambda.functions.score.invoke(unit, { timeoutMillis: 12_000 });
  await expect(stalled).rejects.toThrow(/CALL_STALLED.*TCPSocketWrap/s);
  s3.double!.options = {};
  await lambda.functions.score.invoke(unit);
  expect(lambda.functions.score.starts).toBe(1);
  await lambda.deliverAll();
  await expectRows(lambda.place, lambda.model.bundle, ...shards);
});

/** With less time than the reserve: the first row group is scored in any case. */
async function invokeBriefly(event: WorkUnit) {
  const answer = await lambda.functions.score.invoke(event, { timeoutMillis: 11_000 });
  const { rest: unit, rowsScored: rows } = answer as ScoredUnit;
  return { unit, rows };
}
