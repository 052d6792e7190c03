import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../lib/base/digest.ts';
import { readShared, writePieces } from '../../lib/bundle/bundleFiles.ts';
import {
  type EmbeddingTable,
  embeddingFile,
  tableOver,
  tablePieces,
} from '../../lib/bundle/embeddingTable.ts';
import { tableFileName } from '../../lib/features/vocabularyFile.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const place = { name: 'item', rowStart: 5, rowCount: 3 };
const values = [0.5, -1, 2 ** -140, 3.4e38, 0, -0, 1 / 3, 7, -2.5, 1e-38, 11, 12];

function table(over: Partial<EmbeddingTable> = {}): EmbeddingTable {
  return { ...place, width: 4, elementType: 'F32', rows: Float32Array.from(values), ...over };
}

const fileOf = (each: EmbeddingTable) => Buffer.concat([...tablePieces(each)]);

function sharedOf(bytes: Uint8Array): Uint8Array<SharedArrayBuffer> {
  const file = new Uint8Array(new SharedArrayBuffer(bytes.length));
  file.set(bytes);
  return file;
}

/** The format as its README has it (N: uint64, N bytes of JSON, the rest), not by lib/bundle/safetensors.ts. */
function readSafetensors(file: Buffer): Map<string, { dtype: string; shape: number[]; bytes: Buffer }> {
  const length = file.readUInt32LE(0);
  expect(file.readUInt32LE(4)).toBe(0);
  const header = JSON.parse(file.subarray(8, 8 + length).toString('utf8'));
  const data = file.subarray(8 + length);
  return new Map(
    Object.entries(header as Record<string, { dtype: string; shape: number[]; data_offsets: number[] }>).map(
      ([name, { dtype, shape, data_offsets: at }]) => [
        name,
        { dtype, shape, bytes: data.subarray(at[0], at[1]) },
      ],
    ),
  );
}

/** A file as another program may write it. */
function foreign(header: object | string, data: Uint8Array, padding = 0): Buffer {
  const text = typeof header === 'string' ? header : JSON.stringify(header);
  const json = Buffer.from(text + ' '.repeat(padding));
  const length = Buffer.alloc(8);
  length.writeUInt32LE(json.length);
  return Buffer.concat([length, json, data]);
}

const rowsHeader = { rows: { dtype: 'F32', shape: [3, 4], data_offsets: [0, 48] } };
const rowsBytes = Buffer.from(Float32Array.from(values).buffer);

describe('the file of a table', () => {
  it('is safetensors: read by the words of the format it has the same bits', () => {
    const tensors = readSafetensors(fileOf(table()));
    expect([...tensors.keys()]).toEqual(['rows']);
    const { dtype, shape, bytes } = tensors.get('rows')!;
    expect({ dtype, shape }).toEqual({ dtype: 'F32', shape: [3, 4] });
    expect(bytes.equals(rowsBytes)).toBe(true);
  });

  it('is read back over its own memory, bit by bit', () => {
    const file = sharedOf(fileOf(table()));
    const found = tableOver(file, place, 4) as EmbeddingTable;
    expect(found).toEqual(table());
    expect(found.rows.buffer).toBe(file.buffer);
    expect(Buffer.from(found.rows.slice().buffer).equals(rowsBytes)).toBe(true);
  });

  it('of another program is read: metadata, and a header of another length', () => {
    const header = { __metadata__: { format: 'pt' }, ...rowsHeader };
    const padding = (8 - (JSON.stringify(header).length % 8)) % 8;
    expect(tableOver(sharedOf(foreign(header, rowsBytes, padding)), place, 4)).toEqual(table());
  });

  it('goes through storage in pieces larger and smaller than one, and its digest is that of the whole', async () => {
    const rows = Float32Array.from({ length: 4 * 700_000 }, (_, i) => Math.sin(i));
    const large = table({ rowCount: 700_000, rows });
    const path = join(folder, 'large.safetensors');
    const facts = await writePieces(path, tablePieces(large));
    expect(facts).toEqual({ sizeBytes: readFileSync(path).length, sha256: sha256(readFileSync(path)) });
    expect(facts.sizeBytes).toBeGreaterThan(2 ** 23);
    const problems: string[] = [];
    const read = await readShared(localDisk, folder, 'large.safetensors', facts, problems);
    expect(problems).toEqual([]);
    const found = tableOver(read!, { ...place, rowCount: 700_000 }, 4) as EmbeddingTable;
    expect(Buffer.compare(Buffer.from(found.rows.slice().buffer), Buffer.from(rows.buffer))).toBe(0);
  });

  it.each([
    ['of another size', { sizeBytes: 1, sha256: 'a' }, 'expected 1 bytes, found 3'],
    ['with other bytes', { sizeBytes: 3, sha256: 'a' }, `expected sha256 a, found ${sha256('abc')}`],
  ])('%s than the manifest says is a problem', async (_title, expected, problem) => {
    writeFileSync(join(folder, 'abc'), 'abc');
    const problems: string[] = [];
    await readShared(localDisk, folder, 'abc', expected, problems);
    expect(problems).toEqual([`abc: ${problem}`]);
  });

  it.each<[string, Buffer, string]>([
    [
      'of other rows',
      fileOf(table({ rowCount: 2, rows: new Float32Array(8) })),
      'expected F32 rows [3, 4], found',
    ],
    [
      'of integers without their scales',
      foreign({ rows: { dtype: 'I8', shape: [3, 4], data_offsets: [0, 12] } }, Buffer.alloc(12)),
      'expected F32 scale [3]; I8 rows [3, 4], found I8 rows [3, 4]',
    ],
    ['of another width', fileOf(table({ width: 2, rowCount: 6 })), 'found F32 rows [6, 2]'],
    ['cut short', fileOf(table()).subarray(0, -4), 'the tensors end at byte'],
    ['with bytes behind', Buffer.concat([fileOf(table()), Buffer.alloc(4)]), 'the tensors end at byte'],
    ['shorter than a length', Buffer.alloc(7), 'a file of 7 bytes'],
    ['with a header that is longer than it', Buffer.alloc(20, 9), 'a header of'],
    ['whose header is no JSON', foreign('{"rows"', rowsBytes), 'the header is no JSON'],
    ['whose header is null', foreign('null', rowsBytes), 'the header is no JSON object'],
    ['without a tensor', foreign({}, Buffer.alloc(0)), 'found no tensor'],
    [
      'with another tensor',
      foreign({ weight: rowsHeader.rows }, rowsBytes),
      'expected F32 rows [3, 4], found F32 weight [3, 4]',
    ],
    [
      'of another type',
      foreign({ rows: { ...rowsHeader.rows, dtype: 'BF16' } }, rowsBytes),
      'elements of type "BF16"',
    ],
    [
      'with more bytes than its shape needs',
      foreign({ rows: { dtype: 'F32', shape: [3, 3], data_offsets: [0, 48] } }, rowsBytes),
      'tensor rows [3, 3] has 48 bytes, not 36',
    ],
    [
      'with a gap in front',
      foreign({ rows: { ...rowsHeader.rows, data_offsets: [4, 52] } }, Buffer.alloc(52)),
      'tensor rows begins at byte',
    ],
    ['without a place', foreign({ rows: { dtype: 'F32', shape: [3, 4] } }, rowsBytes), 'no shape or place'],
    [
      'whose rows begin within an element',
      foreign(rowsHeader, rowsBytes, (5 - (JSON.stringify(rowsHeader).length % 4)) % 4),
      'its rows begin at byte',
    ],
  ])('%s is refused with what is wrong', (_title, bytes, problem) => {
    expect(tableOver(sharedOf(bytes), place, 4)).toContain(problem);
  });
});

describe('the name of a table', () => {
  it.each([
    ['video', 'video'],
    ['user_id.v2', 'user_id.v2'],
    ['../../etc/passwd', '%2E.%2F..%2Fetc%2Fpasswd'],
    ['.hidden', '%2Ehidden'],
    ['_partial', '%5Fpartial'],
    ['a%2Fb', 'a%252Fb'],
    ['été', '%C3%A9t%C3%A9'],
    ['a b\\c', 'a%20b%5Cc'],
  ])('%j becomes the plain file name %j', (name, file) => {
    expect(tableFileName(name)).toBe(file);
    expect(decodeURIComponent(file)).toBe(name);
    expect(embeddingFile(name)).toBe(`embeddings/${file}.safetensors`);
  });
});
