// What a wait for S3 adds to scoring: `npm run bench:s3 -- BUNDLE FOLDER_OF_SHARDS...`. The same shards from the disk and from
// a store on this machine that answers as late as S3 does; what a function is paid for is the time by the clock.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { S3Double } from '../../test/support/s3/s3Double.ts';
import { measureProcess } from '../job/measureProcess.ts';
import { medianOf } from '../medianOf.ts';
import { slowProxy } from './slowProxy.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    before: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    workers: { type: 'string', default: '1' },
    millis: { type: 'string', default: '25' },
    megabytes: { type: 'string', default: '80' },
  },
});
const [bundle, ...folders] = positionals;
if (bundle === undefined || folders.length === 0) {
  throw new Error(
    'expected BUNDLE FOLDER... [--before CHECKOUT] [--rounds 3] [--workers 1] [--millis 25] [--megabytes 80]',
  );
}

const double = await S3Double.start(['shards']);
const shards = double.buckets.get('shards')!;
for (const [index, folder] of folders.entries()) {
  for (const name of readdirSync(folder))
    shards.put(`${index}/${name}`, readFileSync(join(folder, name)), {}, {});
}
const proxy = await slowProxy(Number(new URL(double.endpoint).port), {
  latencyMillis: Number(values.millis),
  bytesPerSecond: Number(values.megabytes) * 1e6,
});
const output = await mkdtemp(join(tmpdir(), 'bench-s3-'));
const environment = {
  AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${proxy.port}`,
  ...{ AWS_ACCESS_KEY_ID: 'any', AWS_SECRET_ACCESS_KEY: 'any', AWS_REGION: 'us-east-1' },
};

interface Arm {
  readonly name: string;
  readonly run: () => Promise<void>;
  readonly wallSeconds: number[];
  readonly cpuSeconds: number[];
  gets: number;
}

function armOf(name: string, checkout: string, input: string): Arm {
  const cli = join(checkout, 'dist/lib/cli/main.js');
  const run = async () => {
    const before = double.requests.length;
    const args = ['--quiet', '--model', resolve(bundle!), '--input', input, '--workers', values.workers!];
    const command = [process.execPath, cli, 'score', ...args, '--output', join(output, 'scores')];
    const { wallSeconds, cpuSeconds } = await measureProcess(command, environment);
    arm.wallSeconds.push(wallSeconds);
    arm.cpuSeconds.push(cpuSeconds);
    arm.gets = double.requests.slice(before).filter(({ method }) => method === 'GET').length;
    rmSync(join(output, 'scores'), { recursive: true });
  };
  const arm: Arm = { name, run, wallSeconds: [], cpuSeconds: [], gets: 0 };
  return arm;
}

const checkouts: [string, string][] = [['', '.']];
if (values.before !== undefined) checkouts.push([', before', resolve(values.before)]);
const arms = folders.flatMap((folder, index) =>
  checkouts.flatMap(([which, checkout]) => [
    armOf(`${folder}, disk${which}`, checkout, resolve(folder)),
    armOf(`${folder}, S3${which}`, checkout, `s3://shards/${index}/`),
  ]),
);
for (let round = 0; round < Number(values.rounds); round++) {
  for (const arm of round % 2 === 0 ? arms : [...arms].reverse()) await arm.run();
}
const rows = arms.map(({ name, wallSeconds, cpuSeconds, gets }) => ({
  arm: name,
  'wall s': medianOf(wallSeconds).toFixed(2),
  'CPU s': medianOf(cpuSeconds).toFixed(2),
  requests: gets,
}));
console.table(rows);
rmSync(output, { recursive: true });
proxy.server.close();
await double.stop();
