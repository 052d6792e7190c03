import { z } from 'zod';
import { decodeDocument } from '../base/jsonDocument.ts';
import { storageFor } from '../storage/openStorage.ts';
import { joinUri } from '../storage/uri.ts';

export const RUN_FILE = 'run.json';

const auc = z.number().nullable();

/** What a finished run leaves behind besides its bundle and its scores. Written last: with it, the run is done. */
const armRunRecordSchema = z.strictObject({
  arm: z.string(),
  seed: z.int(),
  metrics: z.record(z.string(), z.number().nullable()),
  validationScore: z.number(),
  trainingSeconds: z.number(),
  parameters: z.int(),
  embeddingParameters: z.int(),
  multiplyAddsPerRow: z.int(),
  curve: z
    .array(z.strictObject({ step: z.int(), epoch: z.int(), clickAuc: auc, conversionAuc: auc }))
    .readonly(),
  connections: z
    .array(
      z.strictObject({
        layer: z.int(),
        inputWidth: z.int(),
        outputWidth: z.int(),
        shared: z.int(),
        clickOnly: z.int(),
        conversionOnly: z.int(),
        dead: z.int(),
        jaccard: z.number(),
        chanceJaccard: z.number(),
        unrelatedJaccard: z.number().nullable(),
      }),
    )
    .readonly()
    .optional(),
});
export type ArmRunRecord = z.infer<typeof armRunRecordSchema>;

/** Folder of a run within a comparison's output. */
export const runFolder = (output: string, arm: string, seed: number): string =>
  joinUri(output, `runs/${arm}/seed-${seed}`);

/**
 * The record of a run, or undefined while it isn't finished.
 * @throws Ncs4cvrError COMPARISON_RUN_INVALID for a file that was changed or damaged
 */
export async function readRunRecord(
  output: string,
  arm: string,
  seed: number,
): Promise<ArmRunRecord | undefined> {
  const file = joinUri(runFolder(output, arm, seed), RUN_FILE);
  const storage = storageFor(file);
  if (!(await storage.exists(file))) return undefined;
  return decodeDocument(await storage.readWhole(file), armRunRecordSchema, {
    code: 'COMPARISON_RUN_INVALID',
    summary: 'the record of a run was changed or damaged; remove its folder to run it again',
    file,
  });
}
