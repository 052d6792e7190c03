// node [--expose-gc] --require rehearseFunction.cjs FOLDER/index.js, with UNITS, a JSON array of events: has a packaged function handle
// them, and writes what V8 has compiled of its scripts by then, for loadCompiled.cjs. Preloaded, it runs in the function's
// threads as well, which write their own.
const { writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { BroadcastChannel, isMainThread } = require('node:worker_threads');

const { LAMBDA_TASK_ROOT: folder, UNITS } = process.env;
const context = { getRemainingTimeInMillis: () => 600_000 };
const channel = new BroadcastChannel('rehearsal');

if (isMainThread) setImmediate(rehearse);
else {
  channel.onmessage = () => {
    write();
    channel.postMessage('written');
  };
  // It alone doesn't keep the thread.
  channel.unref();
}

async function rehearse() {
  const { handler } = require(join(folder, 'index.js'));
  for (const unit of JSON.parse(UNITS)) await handler(unit, context);
  const written = new Promise((resolve) => {
    channel.onmessage = resolve;
  });
  channel.postMessage('write');
  await written;
  // Last: what all threads load, this one has used most of.
  write();
  process.exit(0);
}

function write() {
  const { compiledFile, loaded } = require(join(folder, 'loadCompiled.cjs'));
  for (const [file, script] of loaded) writeFileSync(compiledFile(file), script.createCachedData());
}
