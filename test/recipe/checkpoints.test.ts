import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { Ncs4cvrError } from '../../lib/base/errors.ts';
import { trainModel } from '../../lib/recipe/trainModel.ts';
import { CheckpointStore } from '../../lib/training/checkpointStore.ts';
import { TINY_DATES, writeTinyFunnel } from '../fixtures/tinyFunnel.ts';
import { tinyConfig } from '../fixtures/tinyModel.ts';
import { filesBelow } from '../scoring/filesBelow.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const dataUri = writeTinyFunnel(join(folder, 'data'), { rowsPerDay: 300 });
const model = (output: string) => readFileSync(join(output, 'model.onnx'));

const config = (over: object = {}) =>
  tinyConfig({
    training: {
      epochs: 3,
      batchRows: 32,
      patience: 100,
      embeddings: { reinitialiseEachEpoch: true, optimiser: 'adam' },
      trunk: { decay: 'linear' },
    },
    ...over,
  });

/** Steps too small to change a weight: no validation beats the first. */
const STILL = { embeddings: { learningRate: 1e-30 }, trunk: { learningRate: 1e-30 } };

/** What a bundle says of its checkpoint, of every validation and of its masks; not how long they took. */
function record(output: string) {
  const { metrics, masks } = JSON.parse(readFileSync(join(output, 'bundle.json'), 'utf8')).training;
  return { metrics, masks: masks && { ...masks, seconds: undefined } };
}

class Killed extends Error {}

/** Trains until `stop` says so, as a kill would end it; returns how many validations there were. */
async function train(
  settings: ReturnType<typeof config>,
  output: string,
  stop = Number.POSITIVE_INFINITY,
  data = dataUri,
) {
  let validations = 0;
  const run = trainModel(settings, data, output, {
    onProgress: ({ validation }) => {
      if (validation !== undefined && ++validations > stop) throw new Killed();
    },
  });
  if (stop === Number.POSITIVE_INFINITY) await run;
  else await expect(run).rejects.toThrow(Killed);
  return validations;
}

describe('a training that was stopped', () => {
  it.each([
    ['without masks', {}, 6],
    ['in the second round of a mask search', { masks: { method: 'imp', rounds: 2, epochs: 2 } }, 11],
    ['after its masks were learned', { masks: { method: 'learned', density: 0.4 } }, 6],
    ['on its way to an early stop', { training: { ...STILL, epochs: 3, batchRows: 32, patience: 6 } }, 5],
  ])(
    '%s ends with the same bytes and record as an undisturbed one, and does less',
    async (name, over, stop) => {
      const whole = join(folder, `${name} whole`);
      const all = await train(config(over), whole);
      const output = join(folder, name);
      await train(config(over), output, stop);
      expect(existsSync(join(output, '.checkpoints'))).toBe(true);
      expect(existsSync(join(output, 'bundle.json'))).toBe(false);
      const rest = await train(config(over), output);
      expect(rest).toBeLessThan(all);
      expect(model(output).equals(model(whole))).toBe(true);
      expect(record(output)).toEqual(record(whole));
      const files = filesBelow(output);
      expect(files).toContain('embeddings/item.safetensors');
      expect(files).toEqual(filesBelow(whole));
      for (const file of files.filter((name) => name.startsWith('embeddings/'))) {
        expect(readFileSync(join(output, file)).equals(readFileSync(join(whole, file))), file).toBe(true);
      }
    },
  );

  it('counts rows and seconds on from where it was', async () => {
    const output = join(folder, 'counted');
    const started = performance.now();
    const times: number[] = [];
    const rows: number[] = [];
    const follow = (stop: number) =>
      trainModel(config(), dataUri, output, {
        onProgress: (progress) => {
          if (progress.validation === undefined) return;
          times.push(performance.now());
          rows.push(progress.rows);
          if (rows.length === stop) throw new Killed();
        },
      });
    await expect(follow(5)).rejects.toThrow(Killed);
    const first = (times[3]! - times[0]!) / 1000;
    rows.length = 0;
    times.length = 0;
    const { network } = await follow(Number.POSITIVE_INFINITY);
    const second = (times.at(-1)! - times[0]!) / 1000;
    // Four validations in each of three epochs of 600 rows; the second epoch begins anew.
    expect([rows.length, rows[0]! > 600, rows.at(-1)]).toEqual([8, true, 1800]);
    expect(network.rowsPerSecond * network.seconds).toBeCloseTo(1800, -1);
    expect(network.seconds).toBeGreaterThan(first + second);
    expect(network.seconds).toBeLessThan((performance.now() - started) / 1000);
  });

  it('goes on with nothing of another config', async () => {
    const output = join(folder, 'another config');
    await train(config(), output, 6);
    const other = config({ training: { epochs: 3, batchRows: 32, seed: 5 } });
    const whole = join(folder, 'another whole');
    const all = await train(other, whole);
    expect(await train(other, output)).toBe(all);
    expect(model(output).equals(model(whole))).toBe(true);
  });

  it('goes on with nothing of other data, though they have the same names and sizes', async () => {
    const output = join(folder, 'other data');
    const data = writeTinyFunnel(join(folder, 'corrected'), { rowsPerDay: 300 });
    await train(config(), output, 6, data);
    const shard = join(data, readdirSync(data)[0]!, 'part-0.parquet');
    const { size, mtimeMs } = statSync(shard);
    utimesSync(shard, mtimeMs / 1000 + 60, mtimeMs / 1000 + 60);
    expect(statSync(shard).size).toBe(size);
    expect(await train(config(), output, Number.POSITIVE_INFINITY, data)).toBe(
      await train(config(), join(folder, 'other data whole'), Number.POSITIVE_INFINITY, data),
    );
  });

  it('begins anew when a day of the data that was to come has come since: more labels count as known', async () => {
    const dates = [...TINY_DATES, '2150-01-01'];
    const data = writeTinyFunnel(join(folder, 'to come'), { rowsPerDay: 300, dates });
    const output = join(folder, 'before that day');
    await train(config(), output, 4, data);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2150-01-02') });
    try {
      const all = await train(config(), join(folder, 'on that day'), undefined, data);
      expect(await train(config(), output, undefined, data)).toBe(all);
    } finally {
      vi.useRealTimers();
    }
  });

  it('writes no bundle when the training fails by itself', async () => {
    const output = join(folder, 'diverged');
    const training = { epochs: 2, trunk: { learningRate: 1e30 } };
    await expect(train(config({ training }), output)).rejects.toThrow(Ncs4cvrError);
    expect(existsSync(join(output, 'bundle.json'))).toBe(false);
  });
});

describe('a checkpoint', () => {
  const value = { weights: Float32Array.of(1, Number.NaN, -0), map: new Map([['a', [1, null]]]) };

  it('comes back as it was saved, under its own name only', async () => {
    const store = new CheckpointStore(join(folder, 'store'), 'run');
    await store.save('one', value);
    expect(await store.load('one')).toEqual(value);
    expect(await store.load('two')).toBeUndefined();
    expect(await new CheckpointStore(join(folder, 'store'), 'other').load('one')).toBeUndefined();
  });

  it('of a V8 whose format is newer counts as none', async () => {
    const store = new CheckpointStore(join(folder, 'newer'), 'run');
    await store.save('one', value);
    const file = join(folder, 'newer', 'one.checkpoint');
    const content = readFileSync(file).subarray(32);
    // V8 begins with 255 and the version of its format.
    content[1] = 200;
    writeFileSync(file, Buffer.concat([createHash('sha256').update(content).digest(), content]));
    expect(await store.load('one')).toBeUndefined();
  });

  it('that was damaged counts as none', async () => {
    const store = new CheckpointStore(join(folder, 'damaged'), 'run');
    await store.save('one', value);
    const file = join(folder, 'damaged', 'one.checkpoint');
    const bytes = readFileSync(file);
    for (const broken of [
      bytes.subarray(0, -3),
      Buffer.concat([bytes.subarray(0, 60), Buffer.of(9)]),
      Buffer.of(),
    ]) {
      writeFileSync(file, broken);
      expect(await store.load('one')).toBeUndefined();
    }
    await store.clear();
    expect(existsSync(join(folder, 'damaged'))).toBe(false);
  });
});
