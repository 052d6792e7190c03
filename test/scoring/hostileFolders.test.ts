import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { StorageError } from '../../lib/base/errors.ts';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { executePlan } from '../../lib/publish/executePlan.ts';
import { makeRunPlan } from '../../lib/publish/makeRunPlan.ts';
import { scoreInput } from '../../lib/scoring/scoreInput.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { settingsOf } from '../publish/partitionUnderTest.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const shard = funnelShard(funnelRows('2024-03-09', 50), 50);
let bundle: ModelBundle;

beforeAll(async () => {
  ({ bundle } = await trainTinyModel(join(folder, 'model')));
}, 60_000);
afterEach(() => {
  vi.restoreAllMocks();
});

let count = 0;
/** A folder of whole shards. */
function input(shards = 2): string {
  const path = join(folder, `input-${count++}`);
  mkdirSync(path);
  for (let i = 0; i < shards; i++) writeFileSync(join(path, `${i}.parquet`), shard);
  return path;
}
const score = (path: string) => scoreInput(path, `${path}-scores`, bundle, { workers: 1 });

/** Work as a user who isn't root, to whom the rights of files apply. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  if (process.getuid!() !== 0) return work();
  process.seteuid!(65_534);
  try {
    return await work();
  } finally {
    process.seteuid!(0);
  }
}

describe('scoring a folder goes on, names it and fails in the end', () => {
  it('for a link that leads nowhere', async () => {
    const path = input();
    symlinkSync(join(path, 'nowhere'), join(path, '0-dangling.parquet'));
    const { rows, failures } = await score(path);
    expect(rows).toBe(100);
    expect(failures).toEqual([
      {
        inputUri: join(path, '0-dangling.parquet'),
        error: expect.objectContaining({ code: 'STORAGE_NOT_FOUND' }),
      },
    ]);
  });

  it("for a name that isn't UTF-8, whose bytes are shown", async () => {
    const path = input();
    writeFileSync(
      Buffer.concat([Buffer.from(`${path}/caf`), Buffer.from([0xe9]), Buffer.from('.parquet')]),
      shard,
    );
    const { rows, failures } = await score(path);
    expect(rows).toBe(100);
    expect(failures).toMatchObject([{ error: { code: 'STORAGE_NAME_INVALID', found: 'caf\\xe9.parquet' } }]);
  });

  it('for a folder that can not be read', async () => {
    const path = input();
    mkdirSync(join(path, 'secret'));
    writeFileSync(join(path, 'secret', 'a.parquet'), shard);
    chmodSync(folder, 0o755);
    mkdirSync(`${path}-scores`);
    chmodSync(`${path}-scores`, 0o777);
    chmodSync(join(path, 'secret'), 0);
    const { rows, failures } = await asNobody(() => score(path));
    chmodSync(join(path, 'secret'), 0o755);
    expect(rows).toBe(100);
    expect(failures).toMatchObject([
      { inputUri: join(path, 'secret'), error: { code: 'STORAGE_ACCESS_DENIED' } },
    ]);
  });

  it('for a link to itself, when there is nothing else', async () => {
    const path = input(0);
    symlinkSync(join(path, 'self'), join(path, 'self'));
    expect(await score(path)).toMatchObject({
      rows: 0,
      failures: [{ inputUri: join(path, 'self'), error: { code: 'STORAGE_READ_FAILED' } }],
    });
  });
});

describe('a run that publishes', () => {
  it('is planned with what can not be listed as a broken shard: its rows would be missing without a word', async () => {
    const path = input();
    symlinkSync(join(path, 'nowhere'), join(path, 'dangling.parquet'));
    const place = { inputUri: path, root: `${path}-root` };
    const inputs = [{ partition: 'dt=2024-03-09', inputUri: path }];
    const { plan } = await makeRunPlan(settingsOf(place, bundle), inputs);
    const broken = [{ shard: 'dangling.parquet', rows: null, code: 'STORAGE_NOT_FOUND' }];
    expect(plan.partitions).toMatchObject([{ shardCount: 3, broken }]);
  });
});

describe('a full disk', () => {
  const fillDisk = () =>
    vi
      .spyOn(localDisk, 'createAtomic')
      .mockRejectedValue(new StorageError('STORAGE_FULL', 'the disk is full'));

  it('stops scoring after the first shard that meets it, and names those that were not started', async () => {
    const path = input(5);
    const created = fillDisk();
    const { failures, notStarted } = await score(path);
    expect(created).toHaveBeenCalledTimes(1);
    expect(failures).toMatchObject([{ inputUri: join(path, '0.parquet'), error: { code: 'STORAGE_FULL' } }]);
    expect(notStarted).toEqual([1, 2, 3, 4].map((i) => join(path, `${i}.parquet`)));
  });

  it('stops a run after the first part that meets it, in every partition', async () => {
    const partitions = ['dt=2024-03-08', 'dt=2024-03-09'].map((partition) => ({
      partition,
      inputUri: input(3),
    }));
    const place = { inputUri: folder, root: join(folder, 'full-root') };
    const { plan } = await makeRunPlan({ ...settingsOf(place, bundle), targetRows: 50 }, partitions);
    expect(plan.partitions.map(({ parts }) => parts.length)).toEqual([3, 3]);
    const created = fillDisk();
    const executed = await executePlan(plan, bundle, { workers: 1 });
    expect(created).toHaveBeenCalledTimes(1);
    expect(executed).toMatchObject(
      Array(2).fill({ partsScored: 0, outcome: { kind: 'failed', error: { code: 'STORAGE_FULL' } } }),
    );
  });
});
