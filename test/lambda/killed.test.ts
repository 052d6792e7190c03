import { parquetMetadata } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { SMALL_SHARD_BYTES } from '../../lib/scoring/requestLimits.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { expectRows, first, second } from '../publish/partitionUnderTest.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { DeployedFunctions } from './deployedFunctions.ts';

// Calls and processes that end before their work does.
const s3 = testEndpoint();
const lambda = new DeployedFunctions(s3);
const KINDS = ['parts', 'receipts', 'manifests', 'pointers'] as const;
const written = () => KINDS.map((kind) => lambda.keys(kind).length);

it('a unit that runs out of its time while the rows of a part are read leaves nothing, and the next call scores it', async () => {
  lambda.land('b.parquet', second);
  await lambda.deliverAll();
  const before = written();
  // Large enough not to be read at once.
  const wide = funnelRows('2024-03-07', 400).map((row) => ({
    ...row,
    tags: ['a', 'b'].map((tag) => `${tag} of ${row.impression_id}`.padEnd(1_000, '.')),
  }));
  const shard = Buffer.from(funnelShard(wide, 60));
  expect(shard.length).toBeGreaterThan(SMALL_SHARD_BYTES);
  const { row_groups: rowGroups } = parquetMetadata(Uint8Array.from(shard).buffer);
  const { dictionary_page_offset: dictionary, data_page_offset: data } = rowGroups[2]!.columns[0]!.meta_data!;
  const endByte = Number(dictionary ?? data);
  lambda.land('a.parquet', shard);
  const [unit] = await lambda.plannedUnits();
  expect(unit!.parts).toMatchObject([{ spans: [{ firstRowGroup: 0, endRowGroup: 2 }] }]);
  let stalled = 0;
  s3.double!.options = {
    fault: ({ key, headers }) => {
      const start = Number(/^bytes=(\d+)-/.exec(String(headers.range))?.[1]);
      if (!key.endsWith('/a.parquet') || !(start < endByte)) return;
      stalled++;
      return { kind: 'stall', millis: 10_000 };
    },
  };
  const invocation = lambda.functions.score.invoke(unit, { timeoutMillis: 8_000 });
  await expect(invocation).rejects.toThrow('CALL_STALLED');
  expect(stalled).toBeGreaterThan(0);
  expect(written()).toEqual(before);
  await expectRows(lambda.place, lambda.model.bundle, second);
  s3.double!.options = {};
  expect(await lambda.functions.score.invoke(unit)).toMatchObject({ partsScored: 1, rowsScored: 120 });
  expect(lambda.functions.score.starts).toBe(1);
  await lambda.deliverAll();
  await expectRows(lambda.place, lambda.model.bundle, wide, second);
});

describe('a process that is killed', () => {
  // What is there when the process dies: its last write never happened.
  const deaths = [
    { name: 'score', writing: 'parts', left: [0, 0, 0, 0] },
    { name: 'score', writing: 'receipts', left: [1, 0, 0, 0] },
    { name: 'publish', writing: 'manifests', left: [4, 4, 0, 0] },
    { name: 'publish', writing: 'pointers', left: [4, 4, 1, 0] },
  ] as const;

  it.each(deaths)(
    'while $name writes to $writing is called again, and the next one ends with the same bits',
    async ({ name, writing, left }) => {
      lambda.land('a.parquet', first);
      const { fault, leftBehind } = killWhileWriting(name, writing);
      s3.double!.options = { fault };
      await lambda.run();
      expect(leftBehind()).toEqual(left);
      await expectRows(lambda.place, lambda.model.bundle, first);
      expect(lambda.functions[name].starts).toBe(2);
    },
  );

  it('between two invocations is started anew', async () => {
    lambda.land('a.parquet', first);
    await lambda.deliverAll();
    for (const each of Object.values(lambda.functions)) await each.kill();
    lambda.land('b.parquet', second);
    await lambda.deliverAll();
    await expectRows(lambda.place, lambda.model.bundle, first, second);
    expect(Object.values(lambda.functions).map(({ starts }) => starts)).toEqual([2, 2, 2, 2]);
  });
});

/** Kills the process at its first write of a kind, which never happens; all writes that follow do. */
function killWhileWriting(name: 'score' | 'publish', kind: string) {
  let isDead = false;
  let left: readonly number[] | undefined;
  return {
    fault: ({ method, key }: { method: string; key: string }) => {
      if (isDead || method !== 'PUT' || !key.includes(`/scores/${kind}/`)) return;
      isDead = true;
      left = written();
      void lambda.functions[name].kill();
      return { kind: 'reset' } as const;
    },
    leftBehind: () => left,
  };
}
