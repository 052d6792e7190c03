import { parseArgs } from 'node:util';
import type { ContractName } from './contractConfigs.ts';

const PEERS = ['pyarrow', 'polars', 'duckdb'] as const;
export type Peer = (typeof PEERS)[number];

/**
 * The one ONNX file that peers run: `trained`, the graph as it was trained, embeddings within and nothing taken out, which is
 * what somebody without this project would export; `cleaned`, what `ncs4cvr export --plain` writes.
 */
const PEER_GRAPHS = ['trained', 'cleaned'] as const;
export type PeerGraph = (typeof PEER_GRAPHS)[number];

export interface BenchOptions {
  /** Of the inputs, from the smallest on; all take turns. */
  readonly rows: readonly number[];
  /** Rows of a row group, for each of which every arm runs. */
  readonly rowGroupRows: readonly number[];
  readonly contracts: readonly ContractName[];
  readonly threads: readonly number[];
  readonly rounds: number;
  readonly peers: readonly Peer[];
  /** Every peer runs each of them. */
  readonly peerGraphs: readonly PeerGraph[];
  /** A bundle to score with in place of one that is trained first. */
  readonly models: Partial<Readonly<Record<ContractName, string>>>;
  /** A built checkout to compare with, which trains its own bundles. */
  readonly before: string | undefined;
  /** Also our command with a bundle that it has exported as int8. */
  readonly int8: boolean;
  /** Where the result is written as JSON. */
  readonly output: string;
}

export const USAGE = `npm run bench -- [options]
  --rows LIST         rows of the input, 200,000 to 20,000,000 (default 200000); several are compared
  --row-groups LIST   rows of a row group (default 65536,1000,1000000)
  --contracts LIST    kuairand, wide (default both)
  --threads LIST      workers, or threads of a peer (default 1,2)
  --rounds N          measured rounds, after one that isn't (default 3)
  --peers LIST        pyarrow, polars, duckdb, or none (default all; they need python3)
  --peer-graph LIST   trained, cleaned: what the peers run, the graph as trained or ours (default trained)
  --model NAME=DIR    score the contract NAME with this bundle, not with one that is trained first; may be repeated.
                      The graph as trained is then read from DIR-trained.onnx
  --before DIR        a built checkout to compare with
  --int8              our command and the bare session also with an int8 bundle
  --output FILE       the result as JSON (default build/bench/result.json)`;

/** @throws Error that says what is wrong with the arguments */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rows: { type: 'string', default: '200000' },
      'row-groups': { type: 'string', default: '65536,1000,1000000' },
      contracts: { type: 'string', default: 'kuairand,wide' },
      threads: { type: 'string', default: '1,2' },
      rounds: { type: 'string', default: '3' },
      peers: { type: 'string', default: PEERS.join(',') },
      'peer-graph': { type: 'string', default: 'trained' },
      model: { type: 'string', multiple: true, default: [] },
      before: { type: 'string' },
      int8: { type: 'boolean', default: false },
      output: { type: 'string', default: 'build/bench/result.json' },
    },
  });
  const contracts = listOf(values.contracts, ['kuairand', 'wide'] as const);
  const models = values.model.map((text) => {
    const [name = '', ...rest] = text.split('=');
    return [listOf(name, ['kuairand', 'wide'] as const)[0]!, rest.join('=')];
  });
  return {
    rows: numberList(values.rows),
    rowGroupRows: values['row-groups'].split(',').map(wholeNumber),
    contracts,
    threads: numberList(values.threads),
    rounds: wholeNumber(values.rounds),
    peers: values.peers === 'none' ? [] : listOf(values.peers, PEERS),
    peerGraphs: listOf(values['peer-graph'], PEER_GRAPHS),
    models: Object.fromEntries(models),
    before: values.before,
    int8: values.int8,
    output: values.output,
  };
}

/** From the smallest on, each once. */
function numberList(text: string): number[] {
  return [...new Set(text.split(',').map(wholeNumber))].sort((a, b) => a - b);
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`expected a whole number above 0, found ${text}`);
}

function listOf<Name extends string>(text: string, known: readonly Name[]): Name[] {
  const names = text.split(',').map((name) => {
    const found = known.find((each) => each === name);
    if (found === undefined) throw new Error(`expected ${known.join(', ')}, found ${name}`);
    return found;
  });
  return [...new Set(names)];
}
