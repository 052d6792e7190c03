import { z } from 'zod';

const actionSchema = z.enum(['block', 'warn', 'off']);
/** What a gate does with what is out of bounds: nothing is published, the publication says so, or nobody looks. */
export type GateAction = z.infer<typeof actionSchema>;

const gated = {
  /** What is done with what is out of bounds: nothing is published, the publication says so, or nobody looks. */
  action: actionSchema.default('block'),
};
const share = z.number().min(0).max(1);
const ratio = z.number().min(1);
const factor = z.number().min(0);
const boundOf = (kind: z.ZodNumber, floor: number, times: number) => ({
  /** The bound, at least. */
  floor: kind.default(floor),
  /** The bound is so many times the largest difference of a training day where that is more. */
  factor: factor.default(times),
});

/** Of an audit, unless it says otherwise. */
const AUDIT_SECONDS = 600;
/** Of an audit by a function: the one that asks has 900 s in all, which publishing needs a part of. */
const LONGEST_FUNCTION_SECONDS = 600;

const auditCommandSchema = z.strictObject({
  ...gated,
  /** Program and arguments; the URIs of the manifest and of the scores root are added. */
  command: z.array(z.string().min(1)).min(1).readonly(),
  /** Longer is a failure. */
  timeoutSeconds: z.number().positive().max(86_400).default(AUDIT_SECONDS),
});
export type AuditCommand = Readonly<z.infer<typeof auditCommandSchema>>;

const auditFunctionSchema = z.strictObject({
  ...gated,
  /** Name or ARN, with an alias or a version if wanted. */
  function: z
    .string()
    .regex(
      /^(arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:)?[\w-]{1,64}(:[\w$-]{1,128})?$/,
      'expected the name or ARN of a Lambda function',
    ),
  /** Longer is a failure. */
  timeoutSeconds: z.number().positive().max(LONGEST_FUNCTION_SECONDS).default(AUDIT_SECONDS),
});
export type AuditFunction = Readonly<z.infer<typeof auditFunctionSchema>>;

/**
 * What has to hold of scores before they are published. A bound that has a `floor` and a `factor` is the larger of the floor
 * and the factor times how far the training days were apart, and is widened by what chance does to few rows. All gates block
 * unless the job says otherwise, but for those that need more than a job has by itself: labels, and a user's own audit.
 */
export const gateSettingsSchema = z.strictObject({
  /** Rows over those of the publication before, and of the same weekday. */
  rows: z
    .strictObject({
      ...gated,
      /** The least; further where training days differed more. */
      lowest: z.number().min(0).max(1).default(0.7),
      /** The most; further where training days differed more. */
      highest: ratio.default(1.7),
    })
    .prefault({}),
  /** Share of the rows whose keys were there before; by default twice that of the worst training day, so mostly 0. */
  repeatedKeys: z
    .strictObject({
      ...gated,
      /** The largest share. */
      share: share.optional(),
    })
    .prefault({}),
  /** Spans whose rows were published under another date: any is too many. */
  repeatedContent: z
    .strictObject({
      ...gated,
      /** For keys that were published under another date with other scores: of another model, or from other features; and for rows or files of another hour or region beside it. */
      sameKeys: actionSchema.default('warn'),
    })
    .prefault({}),
  /** Names and types of the row keys: the same in all parts, and as published before. */
  keySchema: z.strictObject(gated).prefault({}),
  /** Largest share of rows in one bin of scores, a fifth of the score wide. */
  constantScores: z
    .strictObject({
      ...gated,
      /** The largest share. */
      share: share.default(0.99),
    })
    .prefault({}),
  /** Mean score over that of the reference, or the reverse. */
  scoreMeans: z
    .strictObject({
      ...gated,
      /** Times; the square of a training day's where that is more. */
      floor: ratio.default(1.5),
    })
    .prefault({}),
  /** Population stability index of each score. */
  scoreDistributions: z.strictObject({ ...gated, ...boundOf(factor, 0.25, 4) }).prefault({}),
  /** As `scoreMeans`, of every slice that the model declares. */
  sliceMeans: z
    .strictObject({
      ...gated,
      /** Times. */
      floor: ratio.default(2),
    })
    .prefault({}),
  /** Growth of a feature's share of missing values. */
  missingValues: z
    .strictObject({
      ...gated,
      ...boundOf(share, 0.1, 3),
      /** Of the values that a list usually holds in the rows that have any, the largest share that may be gone. */
      shorter: share.default(0.5),
    })
    .prefault({}),
  /** Growth of a feature's share of values that training never saw. */
  unseenValues: z.strictObject({ ...gated, ...boundOf(share, 0.2, 3) }).prefault({}),
  /** Population stability index of each feature's bins. */
  featureDistributions: z.strictObject({ ...gated, ...boundOf(factor, 0.25, 4) }).prefault({}),
  /** Values that one shard has lost and the others have: as a share of what is usual. */
  worstShard: z
    .strictObject({
      ...gated,
      /** The largest share. */
      lost: share.default(0.5),
      /** PSI of one shard's values of a feature from which it warns, and blocks from twice as much. */
      floor: factor.default(0.5),
      /** The bound is so many times the PSI of the next shard, or of a shard of publications before, where that is more. */
      factor: factor.default(4),
    })
    .prefault({}),
  /** Against labels that are in the shards already. Reads their columns, so nobody looks by default. */
  calibration: z
    .strictObject({
      /** As of the other gates. */
      action: actionSchema.default('off'),
      /** Sum of the scores over the number of positives, or the reverse. */
      ratio: ratio.default(1.5),
      /** Of either task, on the rows that its label is known of. */
      lowestAuc: share.default(0.52),
      /** Fewer positives or negatives than this say nothing. */
      leastLabels: z.int().min(1).default(200),
    })
    .prefault({}),
  /**
   * A user's own look at the manifest: a command (exit code 0 passes), which runs on the command line only, or a Lambda function.
   * On the command line either runs only where it is allowed.
   */
  audit: z.union([auditCommandSchema, auditFunctionSchema]).optional(),
});
export type GateSettings = Readonly<z.infer<typeof gateSettingsSchema>>;
export type OwnAudit = NonNullable<GateSettings['audit']>;

/**
 * All gates with their defaults.
 * @internal exported for tests: a job document has them without being asked
 */
export const DEFAULT_GATES: GateSettings = gateSettingsSchema.parse({});

/** Is any gate on that is built in? */
export function isLooking({ audit: _, ...builtIn }: GateSettings): boolean {
  return Object.values(builtIn).some(({ action }) => action !== 'off');
}

const COMPARING = [
  'rows',
  'repeatedContent',
  'keySchema',
  'scoreMeans',
  'scoreDistributions',
  'featureDistributions',
  'worstShard',
] as const;

/** Does any gate look at other publications? */
export function comparesPublications(gates: GateSettings): boolean {
  return COMPARING.some((gate) => gates[gate].action !== 'off');
}
