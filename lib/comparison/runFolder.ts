import { tableFromIPC } from 'apache-arrow';
import { z } from 'zod';
import { Ncs4cvrError } from '../base/errors.ts';
import { decodeDocument } from '../base/jsonDocument.ts';
import type { ShardRows } from '../recipe/splitShards.ts';
import { storageFor, writeWhole } from '../storage/openStorage.ts';
import { joinUri } from '../storage/uri.ts';
import { layerConnectionsSchema, learningPointSchema } from './comparisonDocument.ts';

/** What a finished run leaves behind besides its bundle and its scores. */
const armRunRecordSchema = z.strictObject({
  arm: z.string(),
  seed: z.int(),
  metrics: z.record(z.string(), z.number().nullable()),
  validationScore: z.number(),
  trainingSeconds: z.number(),
  parameters: z.int(),
  embeddingParameters: z.int(),
  multiplyAddsPerRow: z.int(),
  curve: z.array(learningPointSchema).readonly(),
  connections: z.array(layerConnectionsSchema).readonly().optional(),
});
export type ArmRunRecord = z.infer<typeof armRunRecordSchema>;

/** A run's scores of the report rows. Both arrays have one length. */
export interface ReportScores {
  readonly pctr: Float32Array;
  readonly pcvr: Float32Array;
}

/** Folder of a run within a comparison's output. */
export const runFolder = (output: string, arm: string, seed: number): string =>
  joinUri(output, `runs/${arm}/seed-${seed}`);

const recordFile = (output: string, arm: string, seed: number) =>
  joinUri(runFolder(output, arm, seed), 'run.json');

/** Comes last: with its record, a run is finished. */
export async function writeRunRecord(output: string, record: ArmRunRecord): Promise<void> {
  const file = recordFile(output, record.arm, record.seed);
  await writeWhole(file, new TextEncoder().encode(JSON.stringify(record)));
}

/**
 * The record of a run, or undefined while it isn't finished.
 * @throws Ncs4cvrError COMPARISON_RUN_INVALID for a file that was changed or damaged
 */
export async function readRunRecord(
  output: string,
  arm: string,
  seed: number,
): Promise<ArmRunRecord | undefined> {
  const file = recordFile(output, arm, seed);
  const storage = storageFor(file);
  if (!(await storage.exists(file))) return undefined;
  return decodeDocument(await storage.readWhole(file), armRunRecordSchema, {
    code: 'COMPARISON_RUN_INVALID',
    summary: 'the record of a run was changed or damaged; remove its folder to run it again',
    file,
  });
}

/** The part with the scores of a shard of the report rows, as the scoring job writes it. */
export const scoresFile = (folder: string, shard: number): string =>
  joinUri(folder, `scores/part-${shard}.arrow`);

/**
 * A run's scores of the report rows, in file order.
 * @throws Ncs4cvrError COMPARISON_RUN_INVALID when rows are missing
 */
export async function readReportScores(folder: string, shards: readonly ShardRows[]): Promise<ReportScores> {
  const rowCount = shards.reduce((sum, { rowStart, rowEnd }) => sum + rowEnd - rowStart, 0);
  const scores = { pctr: new Float32Array(rowCount), pcvr: new Float32Array(rowCount) };
  let at = 0;
  for (const [index, { rowStart, rowEnd }] of shards.entries()) {
    const file = scoresFile(folder, index);
    const table = tableFromIPC(await storageFor(file).readWhole(file));
    if (table.numRows < rowEnd) {
      throw new Ncs4cvrError('COMPARISON_RUN_INVALID', 'scores are missing', {
        file,
        expected: `${rowEnd} rows`,
        found: `${table.numRows}`,
      });
    }
    for (const name of ['pctr', 'pcvr'] as const) {
      const column = table.getChild(name)!.toArray() as Float32Array;
      scores[name].set(column.subarray(rowStart, rowEnd), at);
    }
    at += rowEnd - rowStart;
  }
  return scores;
}
