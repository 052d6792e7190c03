import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../../lib/base/digest.ts';
import { Ncs4cvrError } from '../../lib/base/errors.ts';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { loadBundle, type ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { columnRequirements, rowKeyRequirements } from '../../lib/features/columnRequirements.ts';
import { checkColumns } from '../../lib/parquet/checkColumns.ts';
import { openShard } from '../../lib/parquet/openShard.ts';
import { readRecordBatches } from '../../lib/parquet/readRecordBatches.ts';
import { openSpans } from '../../lib/scoring/openSpans.ts';
import { columnsToRead, planRequests } from '../../lib/scoring/planRequests.ts';
import { readRowGroups } from '../../lib/scoring/readRowGroups.ts';
import { RequestScorer } from '../../lib/scoring/requestScorer.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { memoryFile } from '../parquet/memoryFile.ts';
import { plainRows } from '../parquet/plainValues.ts';
import type { CaseOf, FuzzTarget, Outcome } from './fuzzCase.ts';
import { type FuzzShard, fuzzShards } from './fuzzShards.ts';
import { mutateShard, type ShardMutant } from './mutateShard.ts';

/** Every value, or every key and score, as text. */
type Read = (bytes: Uint8Array, file: string) => Promise<string>;

/** Damaged shards, read as scoring reads them: footers, plans of reads, pages; those of the tiny model are scored, between whole ones. */
export const shardTarget: FuzzTarget = {
  name: 'shards',
  prepare: async (folder, seed) => {
    const { bundleUri } = await trainTinyModel(join(folder, 'model'), { rowsPerDay: 300 });
    const shards = await fuzzShards(folder);
    const neighbour = join(folder, 'neighbour.parquet');
    writeFileSync(neighbour, shards.find(({ isScored }) => isScored)!.bytes);
    const score = await scorerOf(await loadBundle(localDisk, bundleUri), neighbour);
    const readings = await Promise.all(
      shards.map(async (shard) => {
        const read = shard.isScored ? score : readValues;
        return { shard, read, whole: await readIfPossible(read, shard, folder) };
      }),
    );
    const caseOf: CaseOf = (index) => {
      const { shard, read, whole } = readings[index % readings.length]!;
      const random = new RandomStream(seed + index);
      const mutant = mutateShard(shard, random);
      const file = join(folder, `mutant-${index % 8}.parquet`);
      const run = () =>
        tryMutant({ mutant, read, file, whole, hasChecksums: shard.checksummed !== undefined });
      return { name: `${shard.name}: ${mutant.damage}`, bytes: mutant.bytes, run };
    };
    return caseOf;
  },
};

/** Undefined for a shard that is damaged from the start. */
async function readIfPossible(
  read: Read,
  { bytes, name }: FuzzShard,
  folder: string,
): Promise<string | undefined> {
  try {
    return await read(bytes, join(folder, 'whole.parquet'));
  } catch (error) {
    if (error instanceof Ncs4cvrError && !name.includes('checksums')) return undefined;
    throw error;
  }
}

interface Trial {
  readonly mutant: ShardMutant;
  readonly read: Read;
  readonly file: string;
  readonly whole: string | undefined;
  readonly hasChecksums: boolean;
}

async function tryMutant({ mutant, read, file, whole, hasChecksums }: Trial): Promise<Outcome> {
  let found: string;
  try {
    found = await read(mutant.bytes, file);
  } catch (error) {
    if (!(error instanceof Ncs4cvrError)) return { kind: 'failed', reason: `without a code: ${error}` };
    if (error.location.file !== file) return { kind: 'failed', reason: `without the file: ${error.message}` };
    return { kind: 'refused', code: error.code };
  }
  if (found === whole) return { kind: 'equal' };
  if (!hasChecksums) return { kind: 'otherValues', where: 'a shard without checksums' };
  if (mutant.where === 'page') return { kind: 'failed', reason: 'other values from a page with a checksum' };
  return { kind: 'otherValues', where: 'footer or page header of a shard with checksums' };
}

const readValues: Read = async (bytes, file) => {
  const shard = await openShard(memoryFile(bytes, file));
  const columns = shard.schema.fields.map(({ name }) => name);
  if (columns.length === 0) return 'no columns';
  const names = columns.join();
  const rows: string[] = [];
  for await (const { batch } of readRecordBatches(shard, columns)) {
    for (const row of plainRows(batch)) rows.push(JSON.stringify(row, asText));
  }
  return `${names}\n${rows.join('\n')}`;
};

/** Of what JSON hasn't: digests would be shorter and tell less. */
function asText(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

/** @param neighbour a whole shard, which stands before and behind the other: small ones are decoded together */
async function scorerOf({ contract, vocabularies, model }: ModelBundle, neighbour: string): Promise<Read> {
  const scorer = await RequestScorer.create({ contract, vocabularies, model, extraColumns: [] });
  return async (bytes, file) => {
    writeFileSync(file, bytes);
    const spans = await Promise.all(
      [neighbour, file, neighbour].map(async (uri) => ({ uri, known: (await localDisk.stat(uri))! })),
    );
    const requests = planRequests(openSpans(spans), ({ shard }) => {
      checkColumns(shard, [...rowKeyRequirements(contract), ...columnRequirements(contract)]);
      return columnsToRead(shard, contract);
    });
    const rows: string[] = [];
    for await (const { rowGroups } of requests) {
      const { pctr, pcvr, columnsIpc } = await scorer.score({ rowGroups: await readRowGroups(rowGroups) });
      rows.push(`${pctr.join()} ${pcvr.join()} ${sha256(columnsIpc)}`);
    }
    return rows.join('\n');
  };
}
