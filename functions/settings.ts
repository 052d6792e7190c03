import { z } from 'zod';
import { messageOf } from '../lib/base/errors.ts';
import { parseDocument } from '../lib/base/jsonDocument.ts';
import { jobDocumentSchema } from '../lib/job/jobDocument.ts';

const settingsSchema = z.object({
  /** The job document, as JSON. */
  JOB: z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch (error) {
        context.addIssue(`not JSON: ${messageOf(error)}`);
        return z.NEVER;
      }
    })
    .pipe(jobDocumentSchema),
  /** Work units that a run scores at a time, of all its partitions. */
  MAP_CONCURRENCY: z.coerce.number().int().min(1).default(50),
  /** What arrivals start. */
  STATE_MACHINE_ARN: z.string().optional(),
  /** That a run of arrivals waits for what else lands. */
  ARRIVAL_WAIT_SECONDS: z.coerce.number().int().min(0).default(120),
});

/** The environment variables of all functions; each uses what it needs. */
export type Settings = z.infer<typeof settingsSchema>;

/** @throws ProblemsError SETTINGS_INVALID, with every variable, and key of the job, that is missing or wrong */
export function readSettings(environment: NodeJS.ProcessEnv = process.env): Settings {
  const summary = "the function's environment variables are incomplete or wrong";
  return parseDocument(environment, settingsSchema, { code: 'SETTINGS_INVALID', summary });
}
