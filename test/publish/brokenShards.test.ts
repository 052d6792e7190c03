import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Ncs4cvrError } from '../../lib/base/errors.ts';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { parseJob } from '../../lib/job/jobDocument.ts';
import { isBrokenShard } from '../../lib/publish/brokenShard.ts';
import { executePlan } from '../../lib/publish/executePlan.ts';
import { makeRunPlan } from '../../lib/publish/makeRunPlan.ts';
import { partitionStates } from '../../lib/publish/partitionState.ts';
import { planPartition } from '../../lib/publish/planPartition.ts';
import { describeMissingInput } from '../../lib/publish/pointer.ts';
import { resolvePartition } from '../../lib/publish/publishedState.ts';
import { scoreUnit } from '../../lib/publish/scoreUnit.ts';
import type { WorkUnit } from '../../lib/publish/workUnit.ts';
import { WorkerPool } from '../../lib/scoring/workerPool.ts';
import { storageFor, writeWhole } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { type FunnelRow, funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { socketAt } from '../storage/socketAt.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import {
  expectRows,
  first,
  freshPlace,
  PARTITION,
  type Place,
  put,
  run,
  runOf,
  second,
  settingsOf,
} from './partitionUnderTest.ts';

const folder = temporaryFolder();

let model: ModelBundle;
beforeAll(async () => {
  ({ bundle: model } = await trainTinyModel(join(folder, 'model')));
}, 60_000);

/** Rows of eight shards that are packed into few parts. */
const small = Array.from({ length: 8 }, (_, i) => funnelRows(`2024-04-0${i + 1}`, 30));
const footerless = new TextEncoder().encode('PAR1 and nothing that a footer would be');

/** A whole shard but for a flipped byte in its first pages: its footer is sound. */
async function putDamaged(place: Place, name: string): Promise<void> {
  const bytes = funnelShard(funnelRows('2024-05-01', 30), 60);
  await writeWhole(joinUri(place.inputUri, name), bytes.fill(0xff, 4, 200));
}

/** As a writer leaves shards that has renamed a column. */
function putRenamed(place: Place, name: string, rows: readonly FunnelRow[]): Promise<void> {
  const bytes = Buffer.from(funnelShard(rows, 60));
  for (let at = bytes.indexOf('item_id'); at >= 0; at = bytes.indexOf('item_id', at + 1)) {
    // Not of `recent_item_ids`.
    if (bytes[at - 1] !== '_'.charCodeAt(0)) bytes.write('item_no', at);
  }
  return writeWhole(joinUri(place.inputUri, name), bytes);
}

describe('a broken shard', () => {
  it('is named with its rows and code, leaves the former state visible, and the parts beside it are made', async () => {
    const place = freshPlace(join(folder, 'broken'));
    for (const [i, rows] of small.entries()) await put(place, `s${i}.parquet`, rows);
    await run(place, model);
    await put(place, 'a.parquet', first);
    await putDamaged(place, 's3.parquet');
    const { outcome, partsScored } = await run(place, model);
    expect(outcome.kind).toBe('refused');
    const problems = 'problems' in outcome ? outcome.problems : [];
    expect(problems).toEqual([
      expect.stringMatching(/s3\.parquet, 30 rows: SHARD_[A-Z_]+: .*s3\.parquet.*row group 0/),
    ]);
    expect(partsScored).toBeGreaterThanOrEqual(4);
    await expectRows(place, model, ...small);
    // Fixed by its writer, it is a version like any other.
    await put(place, 's3.parquet', small[3]!);
    expect((await run(place, model)).outcome.kind).toBe('published');
    await expectRows(place, model, ...small, first);
  });

  it('that makes several parts is named with all its rows, whichever of them has found it', async () => {
    for (const damaged of [0, 1]) {
      const place = freshPlace(join(folder, 'large'));
      await put(place, 'a.parquet', first);
      // Row groups of 60: four parts of 120 or fewer.
      const bytes = funnelShard(funnelRows('2024-05-01', 400), 60);
      const at = damaged === 0 ? 4 : Math.floor(bytes.length / 2);
      await writeWhole(joinUri(place.inputUri, 'large.parquet'), bytes.fill(0xff, at, at + 200));
      const { outcome } = await run(place, model, { toleratedBrokenShards: 1 });
      expect(outcome).toMatchObject({
        kind: 'published',
        broken: [{ shard: 'large.parquet', rows: 400, code: expect.stringMatching(/^SHARD_/) }],
      });
    }
  });

  it.each([
    ['in its pages', putDamaged],
    ['in its footer', (place: Place, name: string) => writeWhole(joinUri(place.inputUri, name), footerless)],
  ])(
    '%s is left out where the job tolerates it: the manifest says so, and a repeated run ends unchanged',
    async (_, damage) => {
      const place = freshPlace(join(folder, 'broken'));
      for (const [i, rows] of small.entries()) await put(place, `s${i}.parquet`, rows);
      await damage(place, 's5.parquet');
      const tolerant = { toleratedBrokenShards: 1 };
      const { outcome } = await run(place, model, tolerant);
      expect(outcome).toMatchObject({ kind: 'published', broken: [{ shard: 's5.parquet' }] });
      await expectRows(place, model, ...small.filter((_, i) => i !== 5));
      const { manifest } = await resolvePartition(place.root, PARTITION);
      expect(manifest.broken).toMatchObject([
        { shard: 's5.parquet', code: expect.stringMatching(/^SHARD_/) },
      ]);
      expect((await run(place, model, tolerant)).outcome).toMatchObject({ kind: 'unchanged', broken: [{}] });
      // One more than that is too many.
      await damage(place, 's6.parquet');
      expect((await run(place, model, tolerant)).outcome).toMatchObject({
        kind: 'refused',
        problems: [{}, {}],
      });
    },
  );

  it('is named with all others that a writer has made of other columns, by the first run and by one unit', async () => {
    const place = freshPlace(join(folder, 'broken'));
    const names = small.map((_, i) => `s${i}.parquet`);
    for (const [i, rows] of small.entries()) await putRenamed(place, names[i]!, rows);
    const { outcome } = await run(place, model, { targetRows: 1000 });
    expect(outcome).toMatchObject({
      kind: 'refused',
      problems: names.map((name) =>
        expect.stringMatching(`${name}, 30 rows: SHARD_COLUMN_MISSING: .*'item_id'`),
      ),
    });

    const fresh = { ...place, root: freshPlace(join(folder, 'broken')).root };
    const asked = runOf(fresh, model, { targetRows: 1000 });
    const { unitsUri } = (await planPartition(asked))!;
    const [unit] = JSON.parse(
      new TextDecoder().decode(await storageFor(unitsUri).readWhole(unitsUri)),
    ) as WorkUnit[];
    const { contract, vocabularies } = model;
    const pool = new WorkerPool(1, { contract, vocabularies, model: model.model, extraColumns: [] });
    await scoreUnit(unit!, model, pool, { remainingMillis: () => 900_000, reserveMillis: 0 });
    await pool.close();
    expect(await planPartition(asked)).toMatchObject({ unitCount: 0, brokenCount: 8 });
  });

  it('is found in one run however many of a part are damaged in their pages', async () => {
    const place = freshPlace(join(folder, 'broken'));
    for (const [i, rows] of small.entries()) await put(place, `s${i}.parquet`, rows);
    for (const i of [0, 1, 3, 5, 6]) await putDamaged(place, `s${i}.parquet`);
    const { outcome } = await run(place, model, { targetRows: 1000 });
    const problems = 'problems' in outcome ? outcome.problems : [];
    expect(problems.map((problem) => /s\d\.parquet/.exec(problem)?.[0])).toEqual(
      [0, 1, 3, 5, 6].map((i) => `s${i}.parquet`),
    );
  });

  it('is never tolerated when no other is left', async () => {
    const place = freshPlace(join(folder, 'broken'));
    await writeWhole(joinUri(place.inputUri, 'a.parquet'), footerless);
    const { outcome } = await run(place, model, { toleratedBrokenShards: 5 });
    expect(outcome).toMatchObject({ kind: 'refused', problems: [expect.stringContaining('a.parquet')] });
  });

  it('in one unit does not keep the other parts of the unit from being scored', async () => {
    const place = freshPlace(join(folder, 'broken'));
    await put(place, 'b.parquet', second);
    await put(place, 'c.parquet', first);
    await putDamaged(place, 'a.parquet');
    const asked = runOf(place, model, { targetRows: 50 });
    const { unitsUri } = (await planPartition(asked))!;
    const units = JSON.parse(
      new TextDecoder().decode(await storageFor(unitsUri).readWhole(unitsUri)),
    ) as WorkUnit[];
    const all = { ...units[0]!, parts: units.flatMap(({ parts }) => parts) };
    const { contract, vocabularies } = model;
    const setup = { contract, vocabularies, model: model.model, extraColumns: [] };
    const pool = new WorkerPool(1, setup);
    const scored = await scoreUnit(all, model, pool, { remainingMillis: () => 900_000, reserveMillis: 0 });
    await pool.close();
    expect(scored).toMatchObject({ partsDropped: 1, partsScored: all.parts.length - 1, rest: undefined });
    expect(await planPartition(asked)).toMatchObject({ unitCount: 0, brokenCount: 1 });
  });
});

describe('a shard that is deleted or replaced between plan and scoring', () => {
  it('is cut anew, and the run publishes what is there', async () => {
    const place = freshPlace(join(folder, 'moved'));
    for (const [i, rows] of small.entries()) await put(place, `s${i}.parquet`, rows);
    const inputs = [{ partition: PARTITION, inputUri: place.inputUri }];
    const { plan } = await makeRunPlan(settingsOf(place, model), inputs);
    await storageFor(place.inputUri).remove(joinUri(place.inputUri, 's2.parquet'));
    await put(place, 's4.parquet', second);
    const [executed] = await executePlan(plan, model, { workers: 2 });
    expect(executed!.outcome).toMatchObject({ kind: 'published', broken: [] });
    await expectRows(place, model, ...small.filter((_, i) => i !== 2 && i !== 4), second);
  });
});

it('of ten days with one broken shard nine are published, and one is named', async () => {
  const base = join(folder, 'days');
  const days = Array.from({ length: 10 }, (_, i) => `dt=2024-03-${String(i + 1).padStart(2, '0')}`);
  const partitions = days.map((partition) => ({ partition, inputUri: join(base, 'input', partition) }));
  const place = { inputUri: join(base, 'input'), root: join(base, 'scores') };
  for (const { inputUri } of partitions) await put({ ...place, inputUri }, 'a.parquet', second);
  await writeWhole(joinUri(partitions[3]!.inputUri, 'b.parquet'), footerless);
  const { plan } = await makeRunPlan(settingsOf(place, model), partitions);
  const executed = await executePlan(plan, model, { workers: 2 });
  expect(executed.map(({ outcome }) => outcome.kind)).toEqual([
    ...Array(3).fill('published'),
    'refused',
    ...Array(6).fill('published'),
  ]);
  expect(JSON.stringify(executed[3])).toContain('dt=2024-03-04/b.parquet');
});

describe('what a listing finds and can not look at', () => {
  it.each([
    [
      'a link that leads nowhere',
      'STORAGE_NOT_FOUND',
      (at: string) => symlinkSync(join(at, 'nowhere'), join(at, 'b.parquet')),
    ],
    ["a socket with a shard's name", 'STORAGE_NOT_A_FILE', (at: string) => socketAt(join(at, 'b.parquet'))],
  ])('%s is a broken shard of its own day, and the day beside it is published', async (what, code, make) => {
    const base = join(folder, what);
    const place = { inputUri: join(base, 'input'), root: join(base, 'scores') };
    const days = ['dt=2024-03-01', 'dt=2024-03-02'];
    const inputs = days.map((partition) => ({ partition, inputUri: join(place.inputUri, partition) }));
    for (const { inputUri } of inputs) await put({ ...place, inputUri }, 'a.parquet', second);
    await make(inputs[0]!.inputUri);
    const settings = { ...settingsOf(place, model), shardPattern: '*.parquet' };
    const { plan } = await makeRunPlan(settings, inputs);
    expect(
      plan.partitions.map(({ shardCount, broken }) => [shardCount, broken.map((each) => each.code)]),
    ).toEqual([
      [2, [code]],
      [1, []],
    ]);
    const executed = await executePlan(plan, model, { workers: 1 });
    expect(executed.map(({ outcome }) => outcome.kind)).toEqual(['refused', 'published']);
    expect(JSON.stringify(executed[0])).toContain('dt=2024-03-01/b.parquet');
    // A shard that doesn't count may be what it likes.
    const { plan: others } = await makeRunPlan({ ...settings, shardPattern: 'a*' }, inputs);
    expect(others.partitions[0]).toMatchObject({ shardCount: 1, broken: [] });
  });

  it('is published without where the job tolerates it, is not late for it, and is late once it is mended', async () => {
    const base = join(folder, 'tolerated link');
    const inputUri = join(base, 'input', PARTITION);
    const place = { inputUri, root: join(base, 'scores') };
    await put(place, 'a.parquet', second);
    symlinkSync(join(base, 'nowhere'), join(inputUri, 'b.parquet'));
    expect((await run(place, model, { toleratedBrokenShards: 1 })).outcome).toMatchObject({
      kind: 'published',
      broken: [{ shard: 'b.parquet', code: 'STORAGE_NOT_FOUND' }],
    });
    const job = parseJob({ input: join(base, 'input'), scores: place.root, model: model.uri });
    const stage = async () => {
      const { states } = await partitionStates(job, undefined, Date.parse('2024-05-01'));
      return states.map((state) => [state.stage, state.reason]);
    };
    expect(await stage()).toEqual([['published', undefined]]);
    const { pointer } = await resolvePartition(place.root, PARTITION);
    expect(pointer.current.leftOut).toEqual({ rows: 0, shards: 1 });
    expect(describeMissingInput(pointer.current)).toBe('without 1 broken shard');
    rmSync(join(inputUri, 'b.parquet'));
    await put(place, 'b.parquet', first);
    expect(await stage()).toEqual([['late', 'new or changed: b.parquet']]);
  });

  it('a partition that holds nothing else is planned as broken, and a socket of another name is passed over', async () => {
    const base = join(folder, 'nothing else');
    const place = { inputUri: join(base, 'input'), root: join(base, 'scores') };
    mkdirSync(place.inputUri, { recursive: true });
    await socketAt(join(place.inputUri, 'control'));
    const inputs = [{ partition: PARTITION, inputUri: place.inputUri }];
    await expect(makeRunPlan(settingsOf(place, model), inputs)).rejects.toMatchObject({
      code: 'INPUT_EMPTY',
      found: 'control',
    });
    symlinkSync(join(base, 'nowhere'), join(place.inputUri, 'folder'));
    const { plan, ignored } = await makeRunPlan(settingsOf(place, model), inputs);
    expect(plan.partitions[0]).toMatchObject({ parts: [], broken: [{ shard: 'folder', version: '' }] });
    expect(ignored).toEqual([join(place.inputUri, 'control')]);
  });
});

describe('an error', () => {
  const uri = 's3://b/dt=1/a.parquet';
  it.each([
    ['SHARD_PAGE_CORRUPT', {}, true],
    ['CONTRACT_COLUMN_TYPE', {}, true],
    ['PART_KEYS_DIFFER', {}, true],
    ['STORAGE_READ_FAILED', {}, false],
    ['STORAGE_NOT_FOUND', {}, false],
    // The shard is the first of several that the thread had.
    ['SCORING_WORKER_DIED', {}, false],
    ['SHARD_PAGE_CORRUPT', { retryable: true }, false],
    ['SHARD_PAGE_CORRUPT', { file: 's3://b/dt=1/b.parquet' }, false],
  ])('%s %j gives a shard up: %s', (code, details, isBroken) => {
    expect(isBrokenShard(new Ncs4cvrError(code, 'x', { file: uri, ...details }), uri)).toBe(isBroken);
  });
});
