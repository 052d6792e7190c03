// The whole job beside its limit and its peers: `npm run bench`. bench/README.md says what is measured, and how to read it.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CODE_VERSION } from '../../lib/base/codeVersion.ts';
import { readPrices } from '../../lib/estimate/readPrices.ts';
import { trainedGraphOf } from './benchBundle.ts';
import { type CaseResult, runCases } from './benchCase.ts';
import { benchMachine, renderMachine } from './benchMachine.ts';
import { type BenchOptions, parseOptions, USAGE } from './benchOptions.ts';
import { type Flatness, flatnessOf } from './caseRatios.ts';
import type { ContractName } from './contractConfigs.ts';
import { renderCase, renderFlatness } from './renderBench.ts';

/** `npm run bench` starts it there. */
const project = process.cwd();
const work = join(project, 'build/bench');
const shared = resolve(project, '../shared/data/kuairand-pure');

const args = process.argv.slice(2);
if (args.includes('--help')) console.log(USAGE);
else await compareJobs(parseOptions(args));

async function compareJobs(options: BenchOptions): Promise<void> {
  const realDays = existsSync(shared) ? shared : undefined;
  if (realDays === undefined)
    console.log('../shared/data is missing: the KuaiRand contract is run on made-up rows.');
  const python = await peersPython(options);
  if (python !== undefined && options.peerGraphs.includes('trained')) refuseWithoutGraph(options);
  const prices = [
    await readPrices(join(project, 'infra/prices.json')),
    await readPrices(join(project, 'infra/pricesX64.json')),
  ];
  const machine = benchMachine(project, options.before, python);
  console.log(renderMachine(machine, CODE_VERSION));
  const cases: CaseResult[] = [];
  const flatness: (Flatness & { readonly contract: ContractName; readonly rowGroupRows: number })[] = [];
  const write = () => {
    const facts = { date: new Date().toISOString(), codeVersion: CODE_VERSION, machine };
    mkdirSync(dirname(resolve(options.output)), { recursive: true });
    writeFileSync(options.output, `${JSON.stringify({ ...facts, options, cases, flatness }, null, 2)}\n`);
  };
  for (const contract of options.contracts) {
    // Row groups that hold all rows are one case.
    const sizes = new Set(options.rowGroupRows.map((rows) => Math.min(rows, options.rows.at(-1)!)));
    for (const rowGroupRows of sizes) {
      const results = await runCases(contract, rowGroupRows, options, { project, work, realDays }, python);
      cases.push(...results);
      for (const result of results) console.log(`\n${renderCase(result, prices)}`);
      if (results.length > 1) {
        const byRows = flatnessOf(results);
        flatness.push({ contract, rowGroupRows, ...byRows });
        console.log(
          `\n${contract}, row groups of ${rowGroupRows.toLocaleString('en')}, by rows\n${renderFlatness(byRows)}`,
        );
      }
      write();
    }
  }
  console.log(`\nWritten to ${options.output}`);
}

/** Before anything is trained. */
function refuseWithoutGraph({ contracts, models }: BenchOptions): void {
  for (const contract of contracts) {
    const bundle = models[contract];
    if (bundle === undefined || existsSync(trainedGraphOf(bundle))) continue;
    throw new Error(
      `--model ${contract}=${bundle}: expected the graph as trained in ${trainedGraphOf(bundle)}, or --peer-graph cleaned`,
    );
  }
}

/** Undefined, and said aloud, where the peers can't be run. */
async function peersPython({ peers }: BenchOptions): Promise<string | undefined> {
  if (peers.length === 0) return undefined;
  if (spawnSync('python3', ['-c', 'import ensurepip, venv']).status !== 0) {
    console.error(
      'NO PEERS: there is no python3 with venv. What follows compares with nothing but the bare session.',
    );
    return undefined;
  }
  const script = pathToFileURL(join(project, 'scripts/pythonEnvironment.mjs')).href;
  const { pythonEnvironment } = (await import(script)) as {
    pythonEnvironment: (name: string, requirements: string) => string;
  };
  const requirements = readFileSync(join(project, 'bench/peers/requirements.txt'), 'utf8');
  return join(pythonEnvironment('bench-peers', requirements), 'python');
}
