/**
 * The compiled script beside a module. Node can't start a thread or a process from TypeScript, so when the module
 * itself runs as TypeScript (tests), the script is the one that `npm run build` put into dist.
 * @param moduleUrl import.meta.url of the module @param script such as `scoringWorker.js`
 */
export function compiledSibling(moduleUrl: string, script: string): URL {
  if (moduleUrl.endsWith('.js')) return new URL(`./${script}`, moduleUrl);
  const lib = new URL('./', import.meta.url).href;
  const folder = new URL('./', moduleUrl).href.slice(lib.length);
  return new URL(`../dist/lib/${folder}${script}`, import.meta.url);
}
