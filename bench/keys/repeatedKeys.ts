// What the search for repeated keys takes: `npm run bench:keys`. A process per case, with the heap of a Lambda function of 2 GB;
// fingerprints are drawn at random, so that none is repeated, but for the last case, in which every part is the same.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Field, Int64, makeData } from 'apache-arrow';
import { PredictionWriter } from '../../lib/arrow/predictionWriter.ts';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { findRepeatedKeys } from '../../lib/keys/findRepeatedKeys.ts';
import type { KeyedPart } from '../../lib/keys/openFingerprints.ts';
import { sortFingerprints } from '../../lib/keys/sortFingerprints.ts';
import { readBackPart } from '../../lib/publish/readBackPart.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';

const CASES = {
  large: { parts: 100, rows: 1_000_000 },
  small: { parts: 2_000, rows: 500 },
  mixed: { parts: 2_050, rows: 500, largeParts: 50 },
  same: { parts: 100, rows: 1_000_000, isSame: true },
} as const;
const HEAP_MB = 400;

const [name, folder] = process.argv.slice(2) as [keyof typeof CASES | undefined, string];
if (name === undefined) {
  for (const each of Object.keys(CASES)) {
    const place = mkdtempSync(join(tmpdir(), 'keys-'));
    const args = [`--max-old-space-size=${HEAP_MB}`, fileURLToPath(import.meta.url), each, place];
    for (const step of ['write', 'find']) {
      const { status } = spawnSync(process.execPath, [...args, step], { stdio: 'inherit' });
      if (status !== 0) throw new Error(`${each}: ${step} ended with ${status}`);
    }
    rmSync(place, { recursive: true });
  }
} else {
  const isWriting = process.argv[4] === 'write';
  const parts = await partsOf(name, folder, isWriting);
  if (!isWriting) await find(name, folder, parts);
}

/** The parts of a case, and their files if they are to be written. */
async function partsOf(name: keyof typeof CASES, root: string, isWriting: boolean): Promise<KeyedPart[]> {
  const { parts, rows, ...more } = CASES[name];
  const isSame = 'isSame' in more;
  const random = new RandomStream(1);
  mkdirSync(join(root, 'keys/p'), { recursive: true });
  if (isWriting && isSame) await writePart(root, rows);
  return Array.from({ length: parts }, (_, index) => {
    const id = isSame ? 0 : index;
    const count = 'largeParts' in more && index < more.largeParts ? 1_000_000 : rows;
    const path = `keys/p/${id}.bin`;
    if (isWriting && !isSame) {
      const words = Uint32Array.from({ length: 2 * count }, () => random.nextUniform() * 2 ** 32);
      writeFileSync(join(root, path), new Uint8Array(sortFingerprints(words).buffer));
    }
    const types = [{ name: 'id', type: 'Int64' }];
    return {
      ...{ partId: `${index}`, path: `parts/p/${id}.arrow`, rows: count },
      spans: [{ shard: `${index}.parquet`, rows: count }],
      keys: { types, spans: [], keySpans: [], repeatedRows: 0, fingerprints: { path, sizeBytes: 8 * count } },
    };
  });
}

async function writePart(root: string, rows: number): Promise<void> {
  const uri = join(root, 'parts/p/0.arrow');
  const file = await localDisk.createAtomic(uri);
  const keyFields = [new Field('id', new Int64(), false)];
  const writer = await PredictionWriter.open({ file, keyFields, metadata: new Map() });
  const ids = BigInt64Array.from({ length: rows }, (_, row) => BigInt(row));
  const scores = new Float32Array(rows);
  const keys = [makeData({ type: new Int64(), data: ids })];
  await writer.write({ keys, pctr: scores, pcvr: scores, pctcvr: scores });
  await writer.finish();
  await file.commit();
  const span = { shard: 's', version: 'v', sizeBytes: 1, firstRowGroup: 0, endRowGroup: 1, rows };
  const { fingerprintBytes } = await readBackPart(uri, { rows, spans: [span] }, ['id']);
  writeFileSync(join(root, 'keys/p/0.bin'), fingerprintBytes);
}

async function find(name: string, root: string, parts: readonly KeyedPart[]): Promise<void> {
  const reads = { keys: 0, parts: 0, bytes: 0 };
  const open = localDisk.open.bind(localDisk);
  localDisk.open = async (uri, known) => {
    const file = await open(uri, known);
    return {
      ...{ uri, sizeBytes: file.sizeBytes, version: file.version, close: () => file.close() },
      readInto: (target, startByte) => {
        reads[uri.endsWith('.bin') ? 'keys' : 'parts']++;
        reads.bytes += target.length;
        return file.readInto(target, startByte);
      },
    };
  };
  const startedMillis = performance.now();
  const startedCpu = process.cpuUsage();
  const { rows, repeatedRows, isConfirmed } = await findRepeatedKeys(root, parts);
  const { user, system } = process.cpuUsage(startedCpu);
  const seconds = (performance.now() - startedMillis) / 1000;
  console.log(
    `${name}: ${parts.length} parts, ${rows} rows, ${repeatedRows} repeated, confirmed ${isConfirmed}: ` +
      `${seconds.toFixed(1)} s, ${((user + system) / 1e6).toFixed(1)} CPU-s, ` +
      `${Math.round(process.resourceUsage().maxRSS / 1024)} MB, ${reads.keys} + ${reads.parts} reads, ` +
      `${Math.round(reads.bytes / 1e6)} MB read`,
  );
}
