import type { z } from 'zod';
import { parseDocument } from '../lib/base/jsonDocument.ts';

/** Of an event or a message that a function doesn't handle. */
export const EVENT_INVALID = 'EVENT_INVALID';

/** What a schema makes of an event or a message. @throws ProblemsError EVENT_INVALID with every problem */
export function parseEvent<Schema extends z.ZodType>(schema: Schema, event: unknown): z.infer<Schema> {
  return parseDocument(event, schema, {
    code: EVENT_INVALID,
    summary: "this isn't an event that the function handles",
  });
}
