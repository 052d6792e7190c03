// node compileFunction.cjs SCRIPT: writes what V8 has compiled of a packaged function's script once it is loaded, for loadCompiled.cjs.
const { writeFileSync } = require('node:fs');
const { basename, dirname, join } = require('node:path');
const { isMainThread, Worker } = require('node:worker_threads');

const SETTLED_MILLIS = 1000;
const file = process.argv[2];
// As on Lambda, where a function starts some of its work while it is loaded.
process.env.AWS_LAMBDA_FUNCTION_NAME ??= basename(dirname(file));
if (isMainThread && basename(file) === 'worker.js') new Worker(__filename, { argv: [file] });
else {
  const { loadScript, compiledFile } = require(join(dirname(file), 'loadCompiled.cjs'));
  const { script } = loadScript(file);
  // What is loaded a moment later counts, too.
  setTimeout(() => {
    writeFileSync(compiledFile(file), script.createCachedData());
    // Threads that the function has started would keep the process.
    process.exit(0);
  }, SETTLED_MILLIS);
}
