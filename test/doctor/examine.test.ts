import { constants, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { beforeAll, expect, test, vi } from 'vitest';
import { examine } from '../../lib/doctor/examine.ts';
import { funnelShard } from '../fixtures/tinyFunnel.ts';
import { type TinyModel, trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

/** Folders that nobody may write to: the superuser, as whom tests may run, may write to all that there are. */
const closed = vi.hoisted(() => new Set<unknown>());
vi.mock('node:fs/promises', async (load) => {
  const real = await load<typeof import('node:fs/promises')>();
  const access: typeof real.access = async (path, mode) => {
    if (mode !== constants.W_OK || !closed.has(path)) return real.access(path, mode);
    throw Object.assign(new Error(`EACCES: permission denied, access '${path}'`), { code: 'EACCES' });
  };
  return { ...real, access };
});

let model: TinyModel;

beforeAll(async () => {
  model = await trainTinyModel(temporaryFolder());
});

async function inputFinding(input: string, bundle?: string) {
  const findings = await examine({ model: bundle, input });
  return findings.find(({ check }) => check === 'input')!;
}

test('an input that the model would refuse by its columns fails, and passes where no model is named', async () => {
  const input = temporaryFolder();
  const columnData = [{ name: 'impression_id', data: [1n], type: 'INT64' as const }];
  writeFileSync(join(input, 'a.parquet'), new Uint8Array(parquetWriteBuffer({ columnData })));
  expect(await inputFinding(input)).toMatchObject({ state: 'ok' });
  const found = await inputFinding(input, model.bundleUri);
  expect(found).toMatchObject({ state: 'failed', found: expect.stringMatching(/SHARD_COLUMN.*a\.parquet/s) });
});

test('the shards that the model was trained on pass', async () => {
  expect(await inputFinding(model.dataUri, model.bundleUri)).toMatchObject({ state: 'ok' });
});

test('an input whose shards have no row warns', async () => {
  const input = temporaryFolder();
  writeFileSync(join(input, 'a.parquet'), funnelShard([], 40));
  expect(await inputFinding(input)).toMatchObject({
    state: 'warning',
    found: expect.stringMatching(/ 0 rows$/),
  });
});

test('a model that is damaged fails, and its input is looked at all the same', async () => {
  const bundle = join(temporaryFolder(), 'bundle');
  mkdirSync(bundle);
  cpSync(model.bundleUri, bundle, { recursive: true });
  writeFileSync(join(bundle, 'golden.arrow'), '');
  const findings = await examine({ model: bundle, input: model.dataUri });
  const states = Object.fromEntries(findings.map(({ check, state }) => [check, state]));
  expect(states).toMatchObject({ model: 'failed', input: 'ok' });
});

test('an output root that may not be written to fails, and is named with a code', async () => {
  const root = temporaryFolder();
  const scoresFinding = async () =>
    (await examine({ scores: root })).find(({ check }) => check === 'scores')!;
  expect(await scoresFinding()).toMatchObject({ state: 'ok' });
  closed.add(root);
  const found = expect.stringMatching(`^STORAGE_ACCESS_DENIED: ${root}: access is denied`);
  expect(await scoresFinding()).toMatchObject({ state: 'failed', found });
});
