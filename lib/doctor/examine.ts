import { access, constants, stat, statfs } from 'node:fs/promises';
import { availableParallelism, freemem } from 'node:os';
import { dirname } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { messageOf } from '../base/errors.ts';
import { formatCount } from '../base/formatCount.ts';
import type { BundleManifest } from '../bundle/bundleManifest.ts';
import { loadBundle } from '../bundle/loadBundle.ts';
import { type BundleFileSizes, modelMemoryBytes } from '../estimate/modelMemory.ts';
import type { FeatureContract } from '../features/contract.ts';
import { GraphBuilder } from '../onnx/graphBuilder.ts';
import { multiply } from '../onnx/ops.ts';
import { createSession, float32Data, float32Tensor } from '../onnx/session.ts';
import { withShard } from '../parquet/openShard.ts';
import { decodeBatches } from '../parquet/wasmDecoder.ts';
import { refuseUnfit } from '../scoring/spanCheck.ts';
import { diskError } from '../storage/diskError.ts';
import { findShards, spreadShards } from '../storage/listShards.ts';
import { storageFor } from '../storage/openStorage.ts';
import { probeConditions } from '../storage/probeConditions.ts';
import { absoluteUri, diskPath, uriScheme } from '../storage/uri.ts';

/** What was looked at, whether it will do, and what was found. */
export interface Finding {
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'failed';
  readonly found: string;
}

/** What is to be looked at beside the machine itself. */
export interface ExaminedPlaces {
  readonly model?: string | undefined;
  readonly input?: string | undefined;
  readonly scores?: string | undefined;
}

type Answer = Omit<Finding, 'check'>;

const LEAST_NODE = [20, 19] as const;
/** Of the input, at equal distances: `inspect` reads more of them. */
const MOST_FOOTERS = 8;
const LEAST_FREE_BYTES = 2 ** 30;
/** S3 refuses requests whose time is off by a quarter of an hour; a clock that is off by a third of that is adrift. */
const MOST_SKEW_SECONDS = 300;

/** Looks at everything that a night needs, one after the other; a check that fails is a finding, never an error. */
export async function examine({ model, input, scores }: ExaminedPlaces): Promise<Finding[]> {
  const checks: [string, () => Answer | Promise<Answer>][] = [
    ['Node', checkNode],
    ['ONNX Runtime', checkRuntime],
    ['Parquet decoder', checkParquet],
    ['memory', () => checkMemory({})],
  ];
  let contract: FeatureContract | undefined;
  if (model !== undefined) {
    const look = async () => {
      const { manifest } = await loadBundle(storageFor(model), model);
      contract = manifest.contract;
      return checkModel(manifest);
    };
    checks.push(['model', look]);
  }
  if (input !== undefined) checks.push(['input', () => checkInput(input, contract)]);
  if (scores !== undefined) checks.push(['scores', () => checkScores(scores)]);
  const remote = [model, input, scores].find((uri) => uri !== undefined && uriScheme(uri) === 's3');
  if (remote !== undefined) checks.push(['clock', checkClock]);
  const findings: Finding[] = [];
  for (const [check, look] of checks) {
    try {
      findings.push({ check, ...(await look()) });
    } catch (error) {
      findings.push({ check, state: 'failed', found: messageOf(error) });
    }
  }
  return findings;
}

function checkNode(): Answer {
  const version = process.versions.node;
  const [major, minor] = version.split('.').map(Number) as [number, number];
  const isNew = major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1]);
  const found = `${version}, ${process.arch}, ${availableParallelism()} cores`;
  return isNew
    ? ok(found)
    : { state: 'failed', found: `${found}; ${LEAST_NODE.join('.')} or later is needed` };
}

async function checkRuntime(): Promise<Answer> {
  const graph = new GraphBuilder();
  const x = graph.input('x', ['B']);
  graph.output('square', multiply(graph, x, x));
  const session = await createSession(graph.build({ parameters: new Map() }));
  try {
    const [square] = float32Data(await session.run({ x: float32Tensor(Float32Array.of(3), [1]) }), 'square');
    return square === 9 ? ok('loads and computes') : { state: 'failed', found: `3 x 3 gave ${square}` };
  } finally {
    await session.release();
  }
}

function checkParquet(): Answer {
  const file = parquetWriteBuffer({ columnData: [{ name: 'id', data: [7], type: 'INT32' }] });
  const [batch] = decodeBatches(new Uint8Array(file), 1);
  const id: unknown = batch?.getChild('id')?.get(0);
  return id === 7 ? ok('loads and decodes') : { state: 'failed', found: `a 7 came back as ${id}` };
}

/** @param files of a bundle; none for what is needed whatever the model */
function checkMemory(files: BundleFileSizes): Answer {
  // What a container or function may take, where it is less than the machine has.
  const limit = process.constrainedMemory();
  const free =
    limit > 0 && limit < Number.MAX_SAFE_INTEGER ? Math.min(process.availableMemory(), limit) : freemem();
  const needed = modelMemoryBytes(files, availableParallelism());
  const found = `${megabytes(free)} free, about ${megabytes(needed)} needed by ${availableParallelism()} workers`;
  return free < needed ? { state: 'warning', found: `${found}: use fewer --workers` } : ok(found);
}

function checkModel(manifest: BundleManifest): Answer {
  const memory = checkMemory(manifest.files);
  return { ...memory, found: `${manifest.modelVersion} verified with its golden rows; ${memory.found}` };
}

/** @param contract of the model that is to score it, where one is known */
async function checkInput(uri: string, contract: FeatureContract | undefined): Promise<Answer> {
  const { shards, others } = await findShards(uri);
  const beside = others.length === 0 ? '' : `, ${others.length} other files`;
  if (shards.length === 0) return { state: 'warning', found: `no shards${beside}` };
  const read = spreadShards(shards, MOST_FOOTERS);
  let rows = 0;
  const broken: string[] = [];
  for (const listed of read) {
    try {
      rows += await withShard(listed.uri, listed, (shard) => {
        if (contract !== undefined) refuseUnfit(shard, contract);
        return shard.rowCount;
      });
    } catch (error) {
      broken.push(messageOf(error));
    }
  }
  const looked = `${shards.length} shards${beside}; looked at the footers of ${read.length}: ${rows} rows`;
  if (broken.length > 0) return { state: 'failed', found: `${looked}; broken: ${broken.join('; ')}` };
  return rows === 0 ? { state: 'warning', found: looked } : ok(looked);
}

async function checkScores(uri: string): Promise<Answer> {
  if (uriScheme(uri) === 's3') {
    const { multipartIfAbsent } = await probeConditions(uri);
    const found = 'can be written, and conditional writes are kept';
    return ok(
      multipartIfAbsent ? found : `${found} (but not of multipart uploads, which parts can do without)`,
    );
  }
  // Nothing is written: a root that was never written to is told from a mistyped one by its absence.
  const folder = await existingFolder(diskPath(absoluteUri(uri)));
  await access(folder, constants.W_OK).catch((error: unknown) => {
    throw diskError(error, folder, 'STORAGE_WRITE_FAILED');
  });
  if (!(await stat(folder)).isDirectory()) return { state: 'failed', found: `${folder} is a file` };
  const { bavail, bsize } = await statfs(folder);
  const found = `can be written, ${megabytes(bavail * bsize)} free`;
  return bavail * bsize < LEAST_FREE_BYTES ? { state: 'warning', found } : ok(found);
}

async function existingFolder(path: string): Promise<string> {
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  return isThere || dirname(path) === path ? path : existingFolder(dirname(path));
}

/** By the Date header of the store, which answers without credentials too. */
async function checkClock(): Promise<Answer> {
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION = 'us-east-1' } = process.env;
  const endpoint = AWS_ENDPOINT_URL_S3 ?? AWS_ENDPOINT_URL ?? `https://s3.${AWS_REGION}.amazonaws.com`;
  const { headers } = await fetch(endpoint, { method: 'HEAD', signal: AbortSignal.timeout(5000) });
  const theirs = Date.parse(headers.get('date') ?? '');
  if (Number.isNaN(theirs)) return { state: 'warning', found: `${endpoint} tells no time` };
  const skewSeconds = Math.round((Date.now() - theirs) / 1000);
  const found = `${Math.abs(skewSeconds)} s ${skewSeconds < 0 ? 'behind' : 'ahead of'} ${endpoint}`;
  return Math.abs(skewSeconds) > MOST_SKEW_SECONDS
    ? { state: 'failed', found: `${found}: set it` }
    : ok(found);
}

function ok(found: string): Answer {
  return { state: 'ok', found };
}

function megabytes(bytes: number): string {
  return `${formatCount(bytes / 2 ** 20)} MB`;
}
