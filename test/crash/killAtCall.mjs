// Preloaded into a real process (`node --import`): ends it by SIGKILL before or after one of its calls of node:fs/promises, as
// NCS4CVR_KILL says (`before 17`, or `never`), and, where it isn't killed, writes how many there were to NCS4CVR_KILL_COUNT.

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { kill, pid } from 'node:process';
import { isMainThread } from 'node:worker_threads';

const [when, number] = (process.env.NCS4CVR_KILL ?? 'never').split(' ');
const HANDLE_CALLS = ['read', 'write', 'writeFile', 'sync', 'stat', 'close'];
let calls = 0;

async function counted(work) {
  const isLast = when !== 'never' && calls === Number(number);
  calls++;
  if (isLast && when === 'before') kill(pid, 'SIGKILL');
  const result = await work();
  if (isLast) kill(pid, 'SIGKILL');
  return result;
}

if (isMainThread) {
  for (const name of ['link', 'mkdir', 'open', 'readdir', 'readFile', 'realpath', 'rename', 'rm', 'stat']) {
    const real = fs.promises[name].bind(fs.promises);
    fs.promises[name] = (...args) =>
      counted(async () => {
        const result = await real(...args);
        if (name !== 'open') return result;
        for (const each of HANDLE_CALLS) {
          const method = result[each].bind(result);
          result[each] = (...rest) => counted(() => method(...rest));
        }
        return result;
      });
  }
  syncBuiltinESMExports();
  process.on('exit', () => {
    if (process.env.NCS4CVR_KILL_COUNT !== undefined)
      fs.writeFileSync(process.env.NCS4CVR_KILL_COUNT, `${calls}`);
  });
}
