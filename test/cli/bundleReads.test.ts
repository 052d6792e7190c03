import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { runCli } from '../../lib/cli/runCli.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { GATES_OFF_DOCUMENT } from '../fixtures/gatesOff.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

// The commands run in this process, on a disk that notes what is read of the bundle.
const folder = temporaryFolder();
const input = join(folder, 'features');
const scores = join(folder, 'scores');
const partition = 'dt=2024-03-04';
const plan = join(folder, 'plan.json');
const jobFile = join(folder, 'job.json');
let model: string;
let read: string[] = [];

beforeAll(async () => {
  model = (await trainTinyModel(join(folder, 'model'))).bundleUri;
  mkdirSync(join(input, partition), { recursive: true });
  writeFileSync(join(input, partition, 'a.parquet'), funnelShard(funnelRows('2024-03-04', 300), 100));
  const gates = Object.fromEntries(Object.keys(GATES_OFF_DOCUMENT).map((gate) => [gate, { action: 'warn' }]));
  writeFileSync(jobFile, JSON.stringify({ input, scores, model, gates }));
  const noted = (uri: string) => {
    if (uri.startsWith(model)) read.push(relative(model, uri));
  };
  const { open, readWhole, readVersioned } = localDisk;
  vi.spyOn(localDisk, 'open').mockImplementation((uri, known) => {
    noted(uri);
    return open(uri, known);
  });
  vi.spyOn(localDisk, 'readWhole').mockImplementation((uri) => {
    noted(uri);
    return readWhole(uri);
  });
  vi.spyOn(localDisk, 'readVersioned').mockImplementation((uri) => {
    noted(uri);
    return readVersioned(uri);
  });
  vi.spyOn(process.stdout, 'write').mockImplementation(() => true);
}, 60_000);
afterEach(() => {
  read = [];
});

async function readBy(...args: readonly string[]): Promise<string[]> {
  expect(await runCli(args)).toBe(0);
  return [...new Set(read)].sort();
}

describe('of a bundle, whose vocabularies and embeddings may be gigabytes,', () => {
  it('plan reads the manifest alone', async () => {
    expect(await readBy('plan', '--job', jobFile, '--output', plan)).toEqual(['bundle.json']);
  });

  it('inspect reads the manifest and the reference', async () => {
    expect(await readBy('inspect', model)).toEqual(['bundle.json', 'reference.json']);
  });

  it('inspect --verify, and a run that scores, read every file', async () => {
    const every = await readBy('inspect', model, '--verify');
    expect(every).toContain('vocabularies/item.vocab');
    expect(every).toContain('embeddings/item.safetensors');
    read = [];
    expect(await readBy('run', '--plan', plan, '--workers', '1')).toEqual(every);
  });

  it('status and resolve read the manifest at most', async () => {
    for (const command of [
      ['status', '--job', jobFile],
      ['status', '--scores', scores],
      ['resolve', '--scores', scores, '--partition', partition],
    ]) {
      read = [];
      expect(['', 'bundle.json']).toContain((await readBy(...command)).join());
    }
  });
});
