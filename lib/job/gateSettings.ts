import { z } from 'zod';

const actionSchema = z.enum(['block', 'warn', 'off']);
/** What a gate does with what is out of bounds: nothing is published, the publication says so, or nobody looks. */
export type GateAction = z.infer<typeof actionSchema>;

const action = actionSchema.default('block');
const share = z.number().min(0).max(1);
const ratio = z.number().min(1);
/** Times the largest difference of a training day, see modelReference.ts. */
const factor = z.number().min(0);

/** Of an audit, unless it says otherwise. */
const AUDIT_SECONDS = 600;
/** Of an audit by a function: the one that asks has 900 s in all, which publishing needs a part of. */
const LONGEST_FUNCTION_SECONDS = 600;

const auditCommandSchema = z.strictObject({
  action,
  command: z.array(z.string().min(1)).min(1).readonly(),
  timeoutSeconds: z.number().positive().max(86_400).default(AUDIT_SECONDS),
});
export type AuditCommand = Readonly<z.infer<typeof auditCommandSchema>>;

const auditFunctionSchema = z.strictObject({
  action,
  /** Name or ARN, with an alias or a version if wanted. */
  function: z
    .string()
    .regex(
      /^(arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:)?[\w-]{1,64}(:[\w$-]{1,128})?$/,
      'expected the name or ARN of a Lambda function',
    ),
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
    .strictObject({ action, lowest: z.number().min(0).max(1).default(0.7), highest: ratio.default(1.7) })
    .prefault({}),
  /** Share of the rows whose keys were there before; by default twice that of the worst training day, so mostly 0. */
  repeatedKeys: z.strictObject({ action, share: share.optional() }).prefault({}),
  /** Spans whose rows were published under another date: any is too many. */
  repeatedContent: z
    .strictObject({
      action,
      /** For keys that were published under another date with other scores: of another model, or from other features. */
      sameKeys: actionSchema.default('warn'),
    })
    .prefault({}),
  /** Names and types of the row keys: the same in all parts, and as published before. */
  keySchema: z.strictObject({ action }).prefault({}),
  /** Largest share of rows in one score bin (scoreHistogram.ts). */
  constantScores: z.strictObject({ action, share: share.default(0.99) }).prefault({}),
  /** Mean score over that of the reference, or the reverse. */
  scoreMeans: z.strictObject({ action, floor: ratio.default(1.5) }).prefault({}),
  /** Population stability index of each score. */
  scoreDistributions: z
    .strictObject({ action, floor: factor.default(0.25), factor: factor.default(4) })
    .prefault({}),
  /** As `scoreMeans`, of every slice that the model declares. */
  sliceMeans: z.strictObject({ action, floor: ratio.default(2) }).prefault({}),
  /** Growth of a feature's share of missing values. */
  missingValues: z
    .strictObject({ action, floor: share.default(0.1), factor: factor.default(3) })
    .prefault({}),
  /** Growth of a feature's share of values that training never saw. */
  unseenValues: z.strictObject({ action, floor: share.default(0.2), factor: factor.default(3) }).prefault({}),
  /** Population stability index of each feature's bins. */
  featureDistributions: z
    .strictObject({ action, floor: factor.default(0.25), factor: factor.default(4) })
    .prefault({}),
  /** Values that one shard has lost and the others have: as a share of what is usual. */
  worstShard: z.strictObject({ action, lost: share.default(0.5) }).prefault({}),
  /** Against labels that are in the shards already. Reads their columns, so nobody looks by default. */
  calibration: z
    .strictObject({
      action: actionSchema.default('off'),
      /** Sum of the scores over the number of positives, or the reverse. */
      ratio: ratio.default(1.5),
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

/** Does any gate look at other publications? */
export function comparesPublications(gates: GateSettings): boolean {
  const { rows, repeatedContent, keySchema, scoreMeans, scoreDistributions, worstShard } = gates;
  return [rows, repeatedContent, keySchema, scoreMeans, scoreDistributions, worstShard].some(
    (gate) => gate.action !== 'off',
  );
}
