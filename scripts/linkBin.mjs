// Lets `npx ncs4cvr` in a checkout start the built command at once. npm links the bins of dependencies only; for the
// package itself npx would make a copy in its cache, and build it again, at every change.
import { chmodSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';

const entry = 'dist/lib/cli/main.js';
const link = 'node_modules/.bin/ncs4cvr';
chmodSync(entry, 0o755);
// Windows needs a right to make links; npx's slower way works there.
if (process.platform !== 'win32') {
  mkdirSync('node_modules/.bin', { recursive: true });
  rmSync(link, { force: true });
  symlinkSync(`../../${entry}`, link);
}
