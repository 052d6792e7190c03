import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { Ncs4cvrError } from '../../lib/base/errors.ts';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { emptyProfile } from '../../lib/profile/addProfiles.ts';
import { type ScoringProgress, scoreInput } from '../../lib/scoring/scoreInput.ts';
import { type ScoredShard, scoreShard } from '../../lib/scoring/scoreShard.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

// What scoreInput makes of its shards' fates, which real shards meet by chance only.
vi.mock('../../lib/scoring/scoreShard.ts', async (original) => ({
  ...(await original<typeof import('../../lib/scoring/scoreShard.ts')>()),
  scoreShard: vi.fn(),
}));

/** One reading of a shard: the rows of the row groups that were scored, and how it ended. */
interface Attempt {
  readonly groups: readonly number[];
  readonly end: 'done' | 'STORAGE_FILE_CHANGED' | 'SHARD_PAGE_CORRUPT';
}
interface Fate {
  readonly sizeBytes: number;
  /** Row groups that the shard would have had besides. */
  readonly lostGroups: number;
  readonly first: Attempt;
  readonly second: Attempt;
}

const folder = temporaryFolder();
const bundle = {
  contract: {},
  layout: { singles: [{ name: 'hour' }], lists: [], numerics: [] },
  model: { modelBytes: Uint8Array.of(1), inputs: [], tables: [] },
  manifest: {
    training: {
      trainRows: 60,
      validationRows: 40,
      features: [{ name: 'hour', values: 90, missing: 10, unseen: 0 }],
    },
  },
} as unknown as ModelBundle;
const isReplaced = ({ end }: Attempt) => end === 'STORAGE_FILE_CHANGED';
const total = (groups: readonly number[]) => groups.reduce((sum, rows) => sum + rows, 0);
const nameOf = (index: number) => `part-${String(index).padStart(2, '0')}`;

const scored = vi.mocked(scoreShard);
let attemptsMade: Map<string, number>;
beforeEach(() => {
  scored.mockReset();
});

async function scoreFates(fates: readonly Fate[], workers: number) {
  const input = mkdtempSync(join(folder, 'input-'));
  fates.forEach(({ sizeBytes }, index) => {
    writeFileSync(join(input, `${nameOf(index)}.parquet`), new Uint8Array(sizeBytes));
  });
  attemptsMade = new Map();
  scored.mockImplementation(async (inputUri, outputUri, _bundle, _pool, { onRows } = {}) => {
    const name = basename(inputUri, '.parquet');
    const made = attemptsMade.get(name) ?? 0;
    attemptsMade.set(name, made + 1);
    const fate = fates[Number(name.slice(5))]!;
    const { groups, end } = made === 0 ? fate.first : fate.second;
    const allRows = total(groups) + (end === 'done' ? 0 : fate.lostGroups * 10);
    for (const rows of groups) {
      await Promise.resolve();
      onRows?.(rows, rows / allRows);
    }
    if (end !== 'done') throw new Ncs4cvrError(end, `attempt ${made + 1}`);
    const rowCount = total(groups);
    const features = [{ name: 'hour', values: rowCount, missing: 0, unseen: rowCount, bins: [] }];
    const profile = { rows: rowCount, features, slices: [] };
    return { inputUri, outputUri, rowCount, sizeBytes: 1, profile, isCreated: true } satisfies ScoredShard;
  });
  const seen: ScoringProgress[] = [];
  const report = await scoreInput(input, join(folder, 'scores'), bundle, {
    workers,
    onProgress: (progress) => seen.push(progress),
  });
  rmSync(input, { recursive: true });
  return { report, seen };
}

/** Progress as it should be told, shard after shard: what the last attempt of every shard has done, ended shards whole. */
function expectedProgress(fates: readonly Fate[]): ScoringProgress[] {
  const expected: ScoringProgress[] = [];
  const totalBytes = total(fates.map(({ sizeBytes }) => sizeBytes));
  let [rowsBefore, bytesBefore] = [0, 0];
  fates.forEach(({ sizeBytes, lostGroups, first, second }, shardsDone) => {
    let rows = 0;
    const tell = (ended: number, share: number) =>
      expected.push({
        rows: rowsBefore + rows,
        shardsDone: shardsDone + ended,
        shardCount: fates.length,
        fractionDone: totalBytes === 0 ? 1 : (bytesBefore + share * sizeBytes) / totalBytes,
      });
    for (const { groups, end } of isReplaced(first) ? [first, second] : [first]) {
      rows = 0;
      const allRows = total(groups) + (end === 'done' ? 0 : lostGroups * 10);
      for (const count of groups) {
        rows += count;
        tell(0, rows / allRows);
      }
    }
    tell(1, 1);
    rowsBefore += rows;
    bytesBefore += sizeBytes;
  });
  return expected;
}

const attempt = fc.record<Attempt>({
  groups: fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 4 }),
  end: fc.constantFrom('done', 'STORAGE_FILE_CHANGED', 'SHARD_PAGE_CORRUPT'),
});
const fate = fc.record<Fate>({
  sizeBytes: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 500 })),
  lostGroups: fc.integer({ min: 1, max: 3 }),
  first: attempt,
  second: attempt,
});
const someFates = fc.array(fate, { minLength: 1, maxLength: 5, size: 'max' });

describe('progress', () => {
  test('is what the last reading of every shard has done, and the whole of those that have ended', async () => {
    await fc.assert(
      fc.asyncProperty(someFates, async (fates) => {
        const { seen } = await scoreFates(fates, 1);
        const expected = expectedProgress(fates);
        const withoutShare = (all: readonly ScoringProgress[]) =>
          all.map(({ fractionDone: _, ...counted }) => counted);
        expect(withoutShare(seen)).toEqual(withoutShare(expected));
        for (const [index, { fractionDone }] of seen.entries()) {
          expect(fractionDone).toBeCloseTo(expected[index]!.fractionDone, 9);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('ends at the whole, whichever shards end first', async () => {
    await fc.assert(
      fc.asyncProperty(someFates, fc.integer({ min: 2, max: 6 }), async (fates, workers) => {
        const { seen } = await scoreFates(fates, workers);
        const { fractionDone, ...counted } = seen.at(-1)!;
        const { fractionDone: _, ...expected } = expectedProgress(fates).at(-1)!;
        expect(counted).toEqual(expected);
        expect(fractionDone).toBeCloseTo(1, 9);
      }),
      { numRuns: 50 },
    );
  });

  test('of shards without a byte is a whole, not a number that is none', async () => {
    const empty: Attempt = { groups: [], end: 'SHARD_PAGE_CORRUPT' };
    const { seen } = await scoreFates([{ sizeBytes: 0, lostGroups: 1, first: empty, second: empty }], 1);
    expect(seen).toEqual([{ rows: 0, shardsDone: 1, shardCount: 1, fractionDone: 1 }]);
  });
});

describe('a report', () => {
  test('has every shard once, scored or failed, in the order of the input; a replaced one has a second reading', async () => {
    await fc.assert(
      fc.asyncProperty(someFates, fc.integer({ min: 1, max: 6 }), async (fates, workers) => {
        const { report } = await scoreFates(fates, workers);
        const last = fates.map(({ first, second }) => (isReplaced(first) ? second : first));
        const namesOf = (entries: readonly { readonly inputUri: string }[]) =>
          entries.map(({ inputUri }) => basename(inputUri, '.parquet'));
        const namesThat = (ended: (attempt: Attempt) => boolean) =>
          last.flatMap((attempt, index) => (ended(attempt) ? [nameOf(index)] : []));
        expect(namesOf(report.shards)).toEqual(namesThat(({ end }) => end === 'done'));
        expect(namesOf(report.failures)).toEqual(namesThat(({ end }) => end !== 'done'));
        expect(report.failures.map(({ error }) => (error as Ncs4cvrError).code)).toEqual(
          last.map(({ end }) => end).filter((end) => end !== 'done'),
        );
        expect([...attemptsMade].sort()).toEqual(
          fates.map(({ first }, index) => [nameOf(index), isReplaced(first) ? 2 : 1]),
        );
        const rows = total(last.filter(({ end }) => end === 'done').flatMap(({ groups }) => groups));
        expect(report.rows).toBe(rows);
        expect(report.profile).toEqual({
          rows,
          features: [{ name: 'hour', values: rows, missing: 0, unseen: rows, bins: [] }],
          slices: [],
        });
        expect(report.drift).toEqual(
          rows === 0
            ? []
            : [{ name: 'hour', missing: 0, missingInTraining: 0.1, unseen: 1, unseenInTraining: 0 }],
        );
      }),
      { numRuns: 100 },
    );
  });

  test('tells the seconds that scoring took', async () => {
    const clock = vi.spyOn(performance, 'now').mockReturnValueOnce(1000).mockReturnValue(3500);
    const good: Attempt = { groups: [1], end: 'done' };
    const { report } = await scoreFates([{ sizeBytes: 1, lostGroups: 1, first: good, second: good }], 1);
    clock.mockRestore();
    expect(report.seconds).toBe(2.5);
  });
});

test('no more shards are read at once than there are threads', async () => {
  const input = join(folder, 'at once');
  mkdirSync(input);
  for (let index = 0; index < 7; index++) writeFileSync(join(input, `${nameOf(index)}.parquet`), 'x');
  let running = 0;
  const most: number[] = [];
  scored.mockImplementation(async (inputUri, outputUri) => {
    most.push(++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    return {
      inputUri,
      outputUri,
      rowCount: 1,
      sizeBytes: 1,
      profile: emptyProfile(bundle.layout),
      isCreated: true,
    };
  });
  await scoreInput(input, join(folder, 'scores'), bundle, { workers: 3 });
  expect(Math.max(...most)).toBe(3);
});
