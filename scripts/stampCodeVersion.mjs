// Puts the code's version into the built command, where esbuild puts it into the packaged functions and Vite into the tests.
import { readFileSync, writeFileSync } from 'node:fs';
import { codeVersion } from './codeVersion.mjs';

const built = 'dist/lib/base/codeVersion.js';
const text = readFileSync(built, 'utf8');
// tsc leaves a file as it is, with the version of an earlier build, when its source hasn't changed.
const constant = /(?<=^export const CODE_VERSION = ).*(?=;$)/m;
if (!constant.test(text)) throw new Error(`${built} has no constant CODE_VERSION`);
writeFileSync(built, text.replace(constant, JSON.stringify(codeVersion('.'))));
