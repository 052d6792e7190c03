import { createHash } from 'node:crypto';
import { encodeJson } from '../../lib/base/jsonDocument.ts';
import { MAX_FEATURE_BINS } from '../../lib/profile/featureBins.ts';
import type { PartProfile } from '../../lib/profile/partProfile.ts';
import { SCORE_BINS } from '../../lib/profile/scoreHistogram.ts';
import {
  fingerprintsPath,
  OUTPUT_FORMAT_VERSION,
  partPath,
  receiptPath,
} from '../../lib/publish/outputLayout.ts';
import { type PartitionRun, PLAN_FORMAT_VERSION } from '../../lib/publish/partitionRun.ts';
import type { PlannedUnits } from '../../lib/publish/planPartition.ts';
import type { Receipt } from '../../lib/publish/receipt.ts';
import type { Span } from '../../lib/publish/span.ts';
import type { WorkUnit } from '../../lib/publish/workUnit.ts';
import { parseS3Uri } from '../../lib/storage/uri.ts';
import { GATES_OFF } from '../../test/fixtures/gatesOff.ts';
import { funnelRows, funnelShard } from '../../test/fixtures/tinyFunnel.ts';
import type { S3Bucket, StoredObject } from '../../test/support/s3/s3Bucket.ts';
import { S3Double } from '../../test/support/s3/s3Double.ts';

const BUCKET = 'bench';
const PARTITION = 'dt=2024-03-09';
/** Of every shard; its file is a little longer than what is read of its end. */
const SHARD_ROWS = 1_000;
/** A part has about a hundred shards. */
const TARGET_ROWS = 100_000;
/** What stands for a part: nobody who plans or publishes reads it. */
const PART_BYTES = Buffer.alloc(1_000);
const FEATURES = Array.from({ length: 45 }, (_, index) => `feature_${index}`);

/** Of the usual size. */
function profileOf(rows: number): PartProfile {
  const bins = new Array<number>(MAX_FEATURE_BINS).fill(rows);
  return {
    rows,
    features: FEATURES.map((name) => ({ name, values: rows, missing: rows, unseen: rows, bins })),
    slices: [],
  };
}

const WORST = { span: 0, count: SHARD_ROWS, of: SHARD_ROWS };
const WORST_SPANS = FEATURES.map((name) => ({ name, missing: WORST, unseen: WORST, shifted: [] }));

/** A partition of many shards in an S3 double, whose answers take a while. Needs memory for every name, not for every shard. */
export class PartitionInDouble {
  readonly run: PartitionRun;
  readonly #double: S3Double;
  readonly #bucket: S3Bucket;
  readonly #shard = Buffer.from(funnelShard(funnelRows('2024-03-09', SHARD_ROWS), SHARD_ROWS));

  private constructor(double: S3Double) {
    this.#double = double;
    this.#bucket = double.buckets.get(BUCKET)!;
    this.run = {
      formatVersion: PLAN_FORMAT_VERSION,
      modelUri: `s3://${BUCKET}/models/bench`,
      model: { version: 'bench', sha256: 'a'.repeat(64), contractFingerprint: 'b'.repeat(64) },
      root: `s3://${BUCKET}/scores`,
      targetRows: TARGET_ROWS,
      toleratedBrokenShards: 0,
      gates: GATES_OFF,
      jobDigest: 'bench',
      liftHold: false,
      partition: PARTITION,
      inputUri: `s3://${BUCKET}/features/${PARTITION}`,
      basedOnGeneration: 0,
      earlier: { near: [] },
    };
  }

  /** @param answerMillis that every answer is late */
  static async start(shardCount: number, answerMillis: number): Promise<PartitionInDouble> {
    const fault = () => ({ kind: 'stall', millis: answerMillis }) as const;
    const partition = new PartitionInDouble(await S3Double.start([BUCKET], { fault }));
    partition.addShards(0, shardCount);
    return partition;
  }

  get endpoint(): string {
    return this.#double.endpoint;
  }

  get shardBytes(): number {
    return this.#shard.length;
  }

  stop(): Promise<void> {
    return this.#double.stop();
  }

  /** The same bytes under the names of the shards [first, end), as Spark gives them; an ETag for each. */
  addShards(first: number, end: number): void {
    for (let index = first; index < end; index++) {
      const number = String(index).padStart(6, '0');
      const id = createHash('md5').update(number).digest('hex');
      this.#put(`features/${PARTITION}/part-${number}-${id}-c000.snappy.parquet`, this.#shard, `"${id}"`);
    }
  }

  /** Parts of all units that a plan has left open: true receipts beside parts that hold nothing. @returns how many there are */
  pretendToScore({ unitsUri }: PlannedUnits): number {
    let count = 0;
    for (const unit of this.#json<WorkUnit[]>(parseS3Uri(unitsUri).key)) {
      for (const part of unit.parts) {
        const { partId, rows } = part;
        const spans = 'spans' in part ? part.spans : this.#json<Span[]>(`scores/${part.spansPath}`);
        const path = partPath(PARTITION, partId);
        const column = { min: 0.001, max: 0.999, mean: 0.123456789, counts: Array(SCORE_BINS).fill(15_000) };
        const hex64 = '0123456789abcdef';
        const digests = spans.map(() => hex64);
        const receipt: Receipt = {
          formatVersion: OUTPUT_FORMAT_VERSION,
          partId,
          rows,
          spans,
          scoredRows: rows,
          deadLetters: null,
          partition: PARTITION,
          model: unit.model,
          path,
          sizeBytes: PART_BYTES.length,
          sha256: createHash('sha256').update(PART_BYTES).digest('hex'),
          statistics: { pctr: column, pcvr: column, pctcvr: column },
          profile: profileOf(rows),
          worstSpans: WORST_SPANS,
          keys: {
            types: [{ name: 'impression_id', type: 'Int64' }],
            spans: digests,
            keySpans: digests,
            repeatedRows: 0,
            fingerprints: { path: fingerprintsPath(PARTITION, partId), sizeBytes: 8 * rows },
          },
        };
        this.#put(`scores/${path}`, PART_BYTES);
        const receiptKey = `scores/${receiptPath(PARTITION, partId, PART_BYTES.length)}`;
        this.#put(receiptKey, Buffer.from(encodeJson(receipt)));
        count++;
      }
    }
    return count;
  }

  /** Requests since the last call. */
  takeCounts(): { readonly listings: number; readonly gets: number; readonly puts: number } {
    const counts = { listings: 0, gets: 0, puts: 0 };
    for (const { method, key } of this.#double.requests.splice(0)) {
      if (method === 'GET' && key === '') counts.listings++;
      else if (method === 'GET' || method === 'HEAD') counts.gets++;
      else counts.puts++;
    }
    return counts;
  }

  #json<T>(key: string): T {
    return JSON.parse(this.#bucket.get(key).bytes.toString()) as T;
  }

  #put(key: string, bytes: Buffer, etag = `"${createHash('md5').update(bytes).digest('hex')}"`): void {
    const object: StoredObject = { bytes, etag, lastModified: new Date(), headers: {} };
    this.#bucket.objects.set(key, object);
  }
}
