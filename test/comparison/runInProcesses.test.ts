import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test, vi } from 'vitest';
import { type RunName, runInProcesses } from '../../lib/comparison/runInProcesses.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

// The processes alone, with a worker that does what the arm's name says and writes down every order it gets.
const script = vi.hoisted(() => ({ url: new URL('file:///') }));
vi.mock('../../lib/base/workerThread.ts', async (original) => ({
  ...(await original<typeof import('../../lib/base/workerThread.ts')>()),
  compiledSibling: () => script.url,
}));

const folder = temporaryFolder();
script.url = pathToFileURL(join(folder, 'worker.mjs'));
writeFileSync(
  script.url,
  `import { appendFileSync } from 'node:fs';
  let output;
  process.on('message', (order) => {
    output ??= order.output;
    appendFileSync(output + '-' + process.pid, JSON.stringify(order) + '\\n');
    if (order.kind === 'prepare') {
      if (order.config === 'dies') process.exit(4);
      return setTimeout(() => process.send({ kind: 'ready' }), 20);
    }
    const { arm } = order.run;
    if (arm === 'exit') process.exit(3);
    if (arm === 'kill') process.kill(process.pid, 'SIGKILL');
    if (arm === 'hang') return;
    if (arm === 'fail') {
      return process.send({ kind: 'failed', error: {
        code: 'TRAINING_DIVERGED', message: 'TRAINING_DIVERGED: asked for', stack: 'at worker', location: { file: 'f' }, retryable: false,
      } });
    }
    setTimeout(() => process.send({ kind: 'done', run: order.run, seconds: order.run.seed / 2 }), 30);
  });`,
);

let calls = 0;
/** Runs arms by name, the seed their position. `orders`: what each process was told; `pids`: which there were. */
function start(arms: readonly string[], processes: number, config: unknown = { some: 'config' }) {
  const output = join(folder, `call${calls++}`);
  const sources = { config, data: 'data', output };
  const runs = arms.map((arm, seed): RunName => ({ arm, seed }));
  const done: [RunName, number][] = [];
  const ended = runInProcesses(runs, sources, processes, (run, seconds) => done.push([run, seconds]));
  const told = () => {
    const files = readdirSync(folder).filter((name) => name.startsWith(`${output.split('/').at(-1)}-`));
    return {
      pids: files.map((name) => Number(name.split('-')[1])),
      // Whole lines: a process that is ended with the others may have opened its file and not written yet.
      orders: files.map((name) =>
        readFileSync(join(folder, name), 'utf8')
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line)),
      ),
    };
  };
  return { ended, done, told, sources, runs };
}

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
const expectNobodyLeft = (pids: readonly number[]) =>
  vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), { timeout: 10_000 });

test('every run is done once, by processes that prepare first and take the next run when they are done', async () => {
  const { ended, done, told, sources, runs } = start(Array(7).fill('good'), 3);
  await ended;
  const { orders, pids } = told();
  expect(pids).toHaveLength(3);
  for (const [first, ...others] of orders) {
    expect(first).toEqual({ kind: 'prepare', ...sources });
    expect(others.every(({ kind }) => kind === 'run')).toBe(true);
  }
  const bySeed = (a: RunName, b: RunName) => a.seed - b.seed;
  const ordered = orders.flatMap((all) => all.slice(1)).map(({ run }) => run as RunName);
  expect(ordered.sort(bySeed)).toEqual(runs);
  expect(done.map(([run]) => run).sort(bySeed)).toEqual(runs);
  for (const [{ seed }, seconds] of done) expect(seconds).toBe(seed / 2);
  await expectNobodyLeft(pids);
});

test('runs are begun in their order', async () => {
  const { ended, done, runs } = start(Array(4).fill('good'), 1);
  await ended;
  expect(done.map(([run]) => run)).toEqual(runs);
});

test('no more processes are started than there are runs, and none without a run', async () => {
  const { ended, told } = start(['good', 'good'], 5);
  await ended;
  expect(told().pids).toHaveLength(2);
  const none = start([], 5);
  await none.ended;
  expect(none.told().pids).toEqual([]);
  expect(none.done).toEqual([]);
});

test('the first error ends all processes and is told as it was thrown; what was done stays done', async () => {
  const { ended, done, told } = start(['good', 'hang', 'fail', 'good'], 2);
  await expect(ended).rejects.toMatchObject({
    code: 'TRAINING_DIVERGED',
    message: 'TRAINING_DIVERGED: asked for',
    location: { file: 'f' },
    stack: 'at worker',
  });
  expect(done.map(([{ seed }]) => seed)).toEqual([0]);
  await expectNobodyLeft(told().pids);
});

test.each([
  ['exits in the middle of a run', ['exit', 'hang'], undefined, 'exit code 3'],
  ['is killed, as for want of memory', ['kill', 'hang'], undefined, 'SIGKILL'],
  ['exits while it prepares', ['good', 'good'], 'dies', 'exit code 4'],
])(
  'a process that %s ends the others, with a hint, and may be tried again',
  async (_, arms, config, found) => {
    const { ended, done, told } = start(arms, 2, config);
    await expect(ended).rejects.toMatchObject({
      code: 'COMPARISON_WORKER_DIED',
      retryable: true,
      found,
      expected: expect.stringContaining('enough memory'),
    });
    expect(done).toEqual([]);
    await expectNobodyLeft(told().pids);
  },
);
