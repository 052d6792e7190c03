/**
 * The compiled worker script. Node can't start a thread from TypeScript, so when this file itself runs as
 * TypeScript (tests), the entry is the one that `npm run build` put into dist.
 */
export function workerEntry(): URL {
  if (import.meta.url.endsWith('.js')) return new URL('./scoringWorker.js', import.meta.url);
  return new URL('../../dist/lib/scoring/scoringWorker.js', import.meta.url);
}
