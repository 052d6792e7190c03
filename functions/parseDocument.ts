import type { z } from 'zod';
import { ProblemsError } from '../lib/base/errors.ts';
import { describeIssue } from '../lib/base/jsonDocument.ts';

/** What a schema makes of a document. @throws ProblemsError EVENT_INVALID, or another code, with every problem */
export function parseDocument<Schema extends z.ZodType>(
  schema: Schema,
  document: unknown,
  code = 'EVENT_INVALID',
  summary = 'this is no event that the function knows',
): z.infer<Schema> {
  const { success, data, error } = schema.safeParse(document);
  if (success) return data;
  throw new ProblemsError(
    code,
    summary,
    error.issues.flatMap((issue) => describeIssue(issue)),
  );
}
