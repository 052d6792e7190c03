import { z } from 'zod';
import { canonicalJson, sha256 } from '../base/digest.ts';
import { messageOf } from '../base/errors.ts';
import { parseDocument } from '../base/jsonDocument.ts';
import { badRowsSchema } from './badRows.ts';
import { gateSettingsSchema } from './gateSettings.ts';
import { oneSpelling } from './partitionFiles.ts';
import { DEFAULT_LAYOUT, type PartitionLayout, parsePartitionLayout } from './partitionLayout.ts';

/** Rows of a part unless the job says otherwise: seconds of work, and some tens of megabytes. */
export const DEFAULT_TARGET_ROWS = 1_000_000;

const uri = z.string().refine((text) => text.trim() !== '', 'expected a path or URI');

/** Names of model channels: a file's name on any disk, and a word in a shell. */
export const CHANNEL_NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** A bundle, or the channel of a models root that says which bundle it is at the moment. */
const modelChoiceSchema = z.union([
  uri,
  z.strictObject({
    /** Models root, to which `promote` copies bundles. */
    models: uri,
    /** Of that root, such as `live`; it is read when a run is planned. */
    channel: z.string().regex(CHANNEL_NAME, 'expected a name of a-z, 0-9, dots, dashes and underscores'),
  }),
]);
export type ModelChoice = Readonly<z.infer<typeof modelChoiceSchema>>;

const layoutSchema = z.string().transform((text, context): PartitionLayout => {
  try {
    return parsePartitionLayout(text);
  } catch (error) {
    context.addIssue(messageOf(error));
    return z.NEVER;
  }
});

const timeZoneSchema = z.string().refine((timeZone) => {
  try {
    return new Intl.DateTimeFormat('en', { timeZone }) !== undefined;
  } catch {
    return false;
  }
}, 'expected a time zone such as UTC or Europe/Berlin');

/** What tells a partition that is complete from one that is still landing. */
const completenessSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    /** The end of the day is all that it takes. */
    kind: z.literal('none'),
  }),
  z.strictObject({
    /** Its writer leaves a file last. */
    kind: z.literal('marker'),
    /** Name of that file. */
    file: z.string().min(1).default('_SUCCESS'),
  }),
  z.strictObject({
    /** It has a number of shards that count. */
    kind: z.literal('shards'),
    /** At least so many. */
    count: z.int().min(1),
  }),
  z.strictObject({
    /** Nothing has landed for some time. */
    kind: z.literal('quiet'),
    /** At least so long. */
    minutes: z.number().positive(),
  }),
]);
export type Completeness = Readonly<z.infer<typeof completenessSchema>>;

export const jobDocumentSchema = z
  .strictObject({
    /** Of this format. */
    jobVersion: z.literal(1).default(1),
    /**
     * Root of the partitions to score. Or a list of files, whose name ends with `.txt`, `.json` or `.manifest`: tables of Delta,
     * Iceberg and Hudi are refused as folders, since they hold more than their rows.
     */
    input: uri,
    /** Output root of the published scores. */
    scores: uri,
    /** What scores unless a run names another bundle (`plan --model`): a bundle, or a channel of a models root. */
    model: modelChoiceSchema,
    /**
     * Keys of the input's folders in order, such as `region=/date=%Y%m%d/hour=%H`. A value is a time of `%Y %m %d %H`, an integer
     * `%i`, or anything `*`. Without a value, `dt`, `date`, `year`, `month`, `day` and `hour` mean what they say, and any other key
     * anything. `none` for an input without partitions: everything below it is one partition named `all`, which "newest" takes.
     */
    partitions: layoutSchema.prefault(DEFAULT_LAYOUT),
    /** Whose clock says when a day is over. */
    timeZone: timeZoneSchema.default('UTC'),
    newest: z
      .strictObject({
        /** How many days before today "newest" looks at; all by default. */
        lookBackDays: z.int().min(0).optional(),
        /** Take days that the clock hasn't reached. */
        allowFuture: z.boolean().default(false),
      })
      .prefault({}),
    /**
     * What each partition of a day needs before "newest" takes the day. Runs that shards start as they land go by a marker and a number
     * of shards, too.
     */
    completeness: completenessSchema.default({ kind: 'none' }),
    /**
     * Names of the shards that count, as paths below their partition, such as `part-*`: `*` is anything but a slash, `**` anything.
     * Others are passed over and named. All count by default.
     */
    shardPattern: z.string().min(1).optional(),
    /** Rows of a part, which is one output file, on average. */
    targetRows: z.int().min(1).default(DEFAULT_TARGET_ROWS),
    tolerated: z
      .strictObject({
        /** Shards of a partition without which it may be published, when they can't be read. The run fails all the same. */
        brokenShards: z.int().min(0).default(0),
      })
      .prefault({}),
    /**
     * Of a function that scores: a plan for a model that doesn't fit into it is refused. Not asked by default; `plan` always says
     * what the model takes.
     */
    memoryMegabytes: z.int().min(128).max(10_240).optional(),
    /** What becomes of rows that can't be encoded or have a null key: `"fail"` gives up their shard. */
    badRows: badRowsSchema.default('fail'),
    /** What has to hold before scores are published. */
    gates: gateSettingsSchema.prefault({}),
  })
  .superRefine(({ input, scores, shardPattern, partitions: { keys } }, context) => {
    // Such an input is all that lies below it, unless a pattern says what: dead letters are Parquet files, too.
    const isAll = keys.length === 0 && (shardPattern === undefined || shardPattern.includes('**'));
    const folderOf = (uri: string) => oneSpelling(uri).replace(/\/+$/, '');
    if (!isAll || !`${folderOf(scores)}/`.startsWith(`${folderOf(input)}/`)) return;
    context.addIssue({
      code: 'custom',
      path: ['scores'],
      message: 'expected a folder outside of the input, which has no partitions',
    });
  })
  .transform(({ partitions: layout, ...job }) => ({ ...job, layout }));

/** What a job scores, with which model, and when a partition is ready for it; defaults filled in. */
export type JobDocument = Readonly<z.infer<typeof jobDocumentSchema>>;

/** A job document as it is written: keys with a default may be left out. */
export type JobInput = Readonly<z.input<typeof jobDocumentSchema>>;

/** Of what the document says, defaults filled in: for audits, which run was made for which job. */
export function digestOfJob({ layout, ...job }: JobDocument): string {
  return sha256(canonicalJson({ ...job, partitions: layout.text }));
}

/** @throws ProblemsError JOB_INVALID with every problem */
export function parseJob(document: unknown): JobDocument {
  return parseDocument(document, jobDocumentSchema, { code: 'JOB_INVALID', summary: 'the job is invalid' });
}
