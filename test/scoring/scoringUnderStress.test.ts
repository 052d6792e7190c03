import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Ncs4cvrError } from '../../lib/base/errors.ts';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { type ScoringProgress, scoreInput } from '../../lib/scoring/scoreInput.ts';
import { scoreShard } from '../../lib/scoring/scoreShard.ts';
import { WorkerPool } from '../../lib/scoring/workerPool.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { filesBelow } from './filesBelow.ts';
import { scoreBits } from './readScores.ts';

// The built worker, in a thread that dies at row group 2 of a shard whose name says so.
const entry = vi.hoisted(() => ({ url: new URL('file:///') }));
vi.mock('../../lib/scoring/workerEntry.ts', () => ({ workerEntry: () => entry.url }));
// The shards here have row groups of 20 rows: each is a request of its own, read by its worker.
vi.mock('../../lib/scoring/requestLimits.ts', async (original) => ({
  ...(await original()),
  REQUEST_ROWS: 20,
  REQUEST_BYTES: 2 ** 20,
  SMALL_SHARD_BYTES: 0,
  JOIN_GAP_BYTES: 0,
}));

const folder = temporaryFolder();
const builtWorker = new URL('../../dist/lib/scoring/scoringWorker.js', import.meta.url);
const mortalWorker = join(folder, 'mortalWorker.mjs');
writeFileSync(
  mortalWorker,
  `import { parentPort } from 'node:worker_threads';
  await import(${JSON.stringify(builtWorker.href)});
  parentPort.on('message', (task) => {
    const [first] = task?.rowGroups ?? [];
    if (first?.uri.includes('mortal') && first.reads.rowGroup === 2) process.exit(9);
  });`,
);

const rows = funnelRows('2024-03-04', 400);
const shard = funnelShard(rows, 20);
let bundle: ModelBundle;

beforeAll(async () => {
  entry.url = builtWorker;
  ({ bundle } = await trainTinyModel(join(folder, 'model')));
});

afterEach(() => {
  entry.url = builtWorker;
  vi.restoreAllMocks();
});

function write(path: string, bytes: Uint8Array): string {
  const target = join(folder, path);
  mkdirSync(join(target, '..'), { recursive: true });
  writeFileSync(target, bytes);
  return target;
}

test('a thread that dies fails its shard, leaves nothing of it, and the others are scored', async () => {
  entry.url = pathToFileURL(mortalWorker);
  for (const name of ['a', 'b-mortal', 'c']) write(`deaths/${name}.parquet`, shard);
  const report = await scoreInput(join(folder, 'deaths'), join(folder, 'deaths-scores'), bundle, {
    workers: 2,
  });
  expect(report.failures.map(({ error }) => error)).toMatchObject([
    {
      code: 'SCORING_WORKER_DIED',
      location: { file: join(folder, 'deaths/b-mortal.parquet'), rowGroup: 2 },
    },
  ]);
  expect(filesBelow(join(folder, 'deaths-scores'))).toEqual(['a.arrow', 'c.arrow']);
  for (const name of ['a', 'c']) {
    expect(scoreBits(join(folder, `deaths-scores/${name}.arrow`)).size).toBe(rows.length);
  }
});

describe('a shard that is rewritten while it is scored', () => {
  /** Scores one shard and calls `change` when its first row group is done. */
  async function scoreWhile(name: string, workers: number, change: (input: string) => void) {
    const input = write(`${name}/a.parquet`, shard);
    const output = join(folder, `${name}-scores`);
    let isChanged = false;
    const seen: ScoringProgress[] = [];
    const report = await scoreInput(input, output, bundle, {
      workers,
      onProgress: (progress) => {
        seen.push(progress);
        if (!isChanged) change(input);
        isChanged = true;
      },
    });
    expect(isChanged).toBe(true);
    return { report, last: seen.at(-1)!, files: filesBelow(output), output: join(output, 'a.arrow') };
  }

  const others = funnelRows('2024-03-05', 400);
  const idsOf = (found: typeof rows) => found.map(({ impression_id: id }) => id);

  test.each([1, 2])(
    'in place: it is read again, and all scores are the new rows (%i workers)',
    async (workers) => {
      const { report, last, output } = await scoreWhile(`in-place-${workers}`, workers, (input) =>
        writeFileSync(input, funnelShard(others, 20)),
      );
      expect(report.failures).toEqual([]);
      expect([...scoreBits(output).keys()]).toEqual(idsOf(others));
      expect(report.rows).toBe(others.length);
      // What the first attempt had counted is taken back.
      expect(last).toMatchObject({ rows: others.length, shardsDone: 1 });
      expect(last.fractionDone).toBeCloseTo(1, 12);
    },
  );

  test('again and again: it is given up as retryable, and nothing is published', async () => {
    const input = write('restless/a.parquet', shard);
    const output = join(folder, 'restless-scores');
    const report = await scoreInput(input, output, bundle, {
      workers: 1,
      onProgress: () => writeFileSync(input, funnelShard(rows, 20)),
    });
    expect(report.failures).toHaveLength(1);
    const error = report.failures[0]!.error as Ncs4cvrError;
    expect(error.code).toBe('STORAGE_FILE_CHANGED');
    expect(error.retryable).toBe(true);
    expect(filesBelow(output)).toEqual([]);
  });

  test.each([1, 2])('by a rename: all rows of one version, never a mix (%i workers)', async (workers) => {
    const { report, output } = await scoreWhile(`renamed-${workers}`, workers, (input) => {
      renameSync(write(`renamed-${workers}/.new`, funnelShard(others, 20)), input);
    });
    expect(report.failures).toEqual([]);
    const found = [...scoreBits(output).keys()];
    expect([idsOf(rows), idsOf(others)]).toContainEqual(found);
  });

  test('by a removal: all rows of the old version or nothing', async () => {
    const { report, files } = await scoreWhile('removed', 2, (input) => renameSync(input, `${input}.away`));
    if (report.failures.length > 0) {
      expect(report.failures[0]!.error).toMatchObject({ code: 'STORAGE_NOT_FOUND' });
      expect(files).toEqual([]);
    } else {
      expect(files).toEqual(['a.arrow']);
    }
  });
});

describe('memory', () => {
  test.each([
    { shards: 1, workers: 2, atMost: 3 },
    { shards: 5, workers: 2, atMost: 4 },
    { shards: 5, workers: 4, atMost: 9 },
  ])(
    '$shards shards on $workers workers hold $atMost requests at most',
    async ({ shards, workers, atMost }) => {
      const name = `memory-${shards}-${workers}`;
      for (let index = 0; index < shards; index++) write(`${name}/${index}.parquet`, shard);
      let asked = 0;
      let taken = 0;
      let most = 0;
      const run = WorkerPool.prototype.run;
      vi.spyOn(WorkerPool.prototype, 'run').mockImplementation(function (this: WorkerPool, task) {
        asked++;
        most = Math.max(most, asked - taken);
        return run.call(this, task);
      });
      let lastRows = 0;
      const report = await scoreInput(join(folder, name), join(folder, `${name}-scores`), bundle, {
        workers,
        // Called with more rows after every row group that was written.
        onProgress: (progress) => {
          if (progress.rows > lastRows) taken++;
          lastRows = progress.rows;
        },
      });
      expect(report.rows).toBe(shards * rows.length);
      expect(taken).toBe(shards * 20);
      expect(most).toBeLessThanOrEqual(atMost);
      // All threads can be busy.
      expect(most).toBeGreaterThanOrEqual(workers);
    },
  );

  test('a shard that fails gives its room back', async () => {
    const { contract, vocabularies, model } = bundle;
    const pool = new WorkerPool(2, { contract, vocabularies, model, extraColumns: [] });
    const input = write('room/a.parquet', shard);
    const output = join(folder, 'room-scores/a.arrow');
    await scoreShard(input, output, bundle, pool, {
      onRows: () => {
        throw new Error('stop here');
      },
    }).catch(() => undefined);
    expect(pool.room.heldRequests).toBe(0);
    expect(pool.room.hasRoom).toBe(true);
    await pool.close();
    expect(filesBelow(join(folder, 'room-scores'))).toEqual([]);
  });
});
