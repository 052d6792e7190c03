// After `npm install` has added or updated a package: takes from the lock file what makes `npm ci` run install scripts that this
// project needs none of, and warn of an engine that it does without. docs/decisions/0010-installing.md says why.
import { readFileSync, writeFileSync } from 'node:fs';

/** Its engines ask for Node 22 for Promise.withResolvers, which test/support/stepFunctions gives Node 20. */
const RUNS_ON_NODE_20 = 'node_modules/aws-local-stepfunctions';

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
for (const [path, entry] of Object.entries(lock.packages)) if (path !== '') delete entry.hasInstallScript;
delete lock.packages[RUNS_ON_NODE_20].engines;
writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`);
