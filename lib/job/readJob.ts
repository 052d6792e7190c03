import { decodeCommentedJson } from '../base/commentedJson.ts';
import { parseDocument } from '../base/jsonDocument.ts';
import { readDocument } from '../storage/readDocument.ts';
import { absoluteUri } from '../storage/uri.ts';
import { type JobDocument, jobDocumentSchema } from './jobDocument.ts';

/**
 * Relative paths in it start at the working folder. It may hold comments.
 * @throws ProblemsError JOB_INVALID with every problem
 */
export async function readJob(file: string): Promise<JobDocument> {
  const bytes = await readDocument(file);
  const description = { code: 'JOB_INVALID', summary: 'the job document is invalid', file };
  const job = parseDocument(decodeCommentedJson(bytes, description), jobDocumentSchema, description);
  return withAbsoluteUris(job);
}

/** Relative paths start at the working folder. */
export function withAbsoluteUris(job: JobDocument): JobDocument {
  const { model } = job;
  return {
    ...job,
    input: absoluteUri(job.input),
    scores: absoluteUri(job.scores),
    model: typeof model === 'string' ? absoluteUri(model) : { ...model, models: absoluteUri(model.models) },
  };
}
