// Puts the code's version into the built command, where esbuild puts it into the packaged functions and Vite into the tests.
import { readFileSync, writeFileSync } from 'node:fs';
import { codeVersion } from './codeVersion.mjs';

const built = 'dist/lib/base/codeVersion.js';
const text = readFileSync(built, 'utf8');
const stamped = text.replace('= BUILT_CODE_VERSION;', `= ${JSON.stringify(codeVersion('.'))};`);
if (stamped === text) throw new Error(`${built} names no BUILT_CODE_VERSION`);
writeFileSync(built, stamped);
