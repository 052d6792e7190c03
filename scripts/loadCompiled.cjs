// Goes into the packages: runs a script of the function with the code that V8 compiled when it was packaged. V8 refuses code of another
// version or of other flags, and the script is then compiled here; it does the same in any case.
const { readFileSync } = require('node:fs');
const { createRequire, wrap } = require('node:module');
const { dirname, join } = require('node:path');
const { Script, constants } = require('node:vm');

/** Whether code may collect garbage is a flag that changes what V8 takes. */
const compiledFile = (file) => `${file}${typeof globalThis.gc === 'function' ? '.gc' : ''}.compiled`;

/** This thread's scripts by their files, for what writes their compiled code. */
const loaded = new Map();

function loadScript(file) {
  let cachedData;
  try {
    cachedData = readFileSync(compiledFile(file));
  } catch {}
  const script = new Script(wrap(readFileSync(file, 'utf8')), {
    filename: file,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  loaded.set(file, script);
  const module = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(file), module, file, dirname(file));
  return { script, exports: module.exports };
}

/** The exports of a script beside this one. */
module.exports = (name) => loadScript(join(__dirname, name)).exports;
module.exports.loadScript = loadScript;
module.exports.loaded = loaded;
module.exports.compiledFile = compiledFile;
