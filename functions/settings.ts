import { z } from 'zod';
import { parseDocument } from '../lib/base/jsonDocument.ts';
import { DEFAULT_TARGET_ROWS } from '../lib/publish/cutPartition.ts';

const settingsSchema = z.object({
  /** Folder of the input's partitions, such as s3://bucket/features. */
  INPUT_URI: z.string(),
  /** Output root of the published scores. */
  SCORES_URI: z.string(),
  /** Bundle that scores unless a run names another one. */
  MODEL_URI: z.string(),
  TARGET_ROWS: z.coerce.number().int().min(1).default(DEFAULT_TARGET_ROWS),
  /** Work units that the state machine scores at a time. */
  MAP_CONCURRENCY: z.coerce.number().int().min(1).default(50),
  UNITS_QUEUE_URL: z.string().optional(),
  PUBLISH_QUEUE_URL: z.string().optional(),
});

/** The environment variables of all functions; each uses what it needs. */
export type Settings = z.infer<typeof settingsSchema>;

/** @throws ProblemsError SETTINGS_INVALID, with every variable that is missing or wrong */
export function readSettings(environment: NodeJS.ProcessEnv = process.env): Settings {
  const summary = "the function's environment variables are incomplete or wrong";
  return parseDocument(environment, settingsSchema, { code: 'SETTINGS_INVALID', summary });
}
