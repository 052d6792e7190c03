import { z } from 'zod';
import { CODE_VERSION } from '../base/codeVersion.ts';
import { sha256 } from '../base/digest.ts';
import { encodeJson } from '../base/jsonDocument.ts';
import { type Verdict, verdictSchema } from '../gates/verdict.ts';
import { badRowsSchema } from '../job/badRows.ts';
import { fileListSchema } from '../job/partitionFiles.ts';
import { storageFor } from '../storage/openStorage.ts';
import { earlierPublicationsSchema } from './earlierPublications.ts';
import { auditPath, below, decodeOutputDocument, OUTPUT_FORMAT_VERSION } from './outputLayout.ts';
import type { PartitionRun } from './partitionRun.ts';

const overrideSchema = z.strictObject({
  /** Why it is published all the same. */
  reason: z.string().min(1),
  /** The operator, as they say; what proves it is the storage's own log. */
  by: z.string().min(1),
  at: z.iso.datetime(),
});
/** An operator's word, against that of a gate. */
export type Override = Readonly<z.infer<typeof overrideSchema>>;

/**
 * Who has published a manifest or been kept from it, and why: what isn't part of the manifest, whose bytes follow from its
 * parts. The pointer names it, or the note of a blocked partition; no reader of scores needs it.
 * @internal exported for the reference of documents
 */
export const auditSchema = z.strictObject({
  formatVersion: z.literal(OUTPUT_FORMAT_VERSION),
  partition: z.string(),
  /** Of what was published or blocked. */
  manifestSha256: z.string(),
  /** Folder of the shards. */
  inputUri: z.string(),
  /** That named the shards when the run was planned. */
  fileList: fileListSchema.optional(),
  /** Of the job document. */
  jobDigest: z.string(),
  /** That planned the publication. */
  codeVersion: z.string(),
  /** Pointer's generation when the run was planned. */
  basedOnGeneration: z.int().min(0),
  /** Rows of a part, on average. */
  targetRows: z.int().min(1),
  /** As the job says. */
  toleratedBrokenShards: z.int().min(0),
  /** `fail` without it. */
  badRows: badRowsSchema.optional(),
  /** Whether a hold was to be lifted. */
  liftHold: z.boolean(),
  /** What the gates compared with. */
  earlier: earlierPublicationsSchema,
  /** Of every gate; empty where the manifest was visible before, such as when a hold is lifted. */
  verdicts: z.array(verdictSchema).readonly(),
  /** By whom and why what a gate had blocked was published; null for all else. */
  override: overrideSchema.nullable(),
});
export type Audit = Readonly<z.infer<typeof auditSchema>>;

/** The audit document of a publication that is about to become visible, or to be blocked. */
export function auditOf(run: PartitionRun, manifestSha256: string, verdicts: readonly Verdict[]): Audit {
  const { partition, inputUri, fileList, jobDigest, earlier } = run;
  const { basedOnGeneration, targetRows, toleratedBrokenShards, badRows, liftHold } = run;
  return {
    formatVersion: OUTPUT_FORMAT_VERSION,
    partition,
    manifestSha256,
    inputUri,
    ...(fileList === undefined ? {} : { fileList }),
    jobDigest,
    codeVersion: CODE_VERSION,
    basedOnGeneration,
    targetRows,
    toleratedBrokenShards,
    ...(badRows === undefined ? {} : { badRows }),
    liftHold,
    earlier,
    verdicts,
    override: null,
  };
}

/** @returns its path below the root */
export async function writeAudit(root: string, audit: Audit): Promise<string> {
  const { partition } = audit;
  const bytes = encodeJson(audit);
  const path = auditPath(partition, sha256(bytes));
  const uri = below(root, path);
  await storageFor(uri).createIfAbsent(uri, bytes);
  return path;
}

/** @param path as the pointer names it */
export async function readAudit(root: string, path: string): Promise<Audit> {
  const uri = below(root, path);
  return decodeOutputDocument(await storageFor(uri).readWhole(uri), auditSchema, 'audit document', uri);
}
