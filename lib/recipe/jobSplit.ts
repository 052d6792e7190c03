import { ProblemsError } from '../base/errors.ts';
import { isRecord } from '../base/jsonDocument.ts';
import type { JobDocument } from '../job/jobDocument.ts';

/**
 * A training config's JSON, not yet checked, whose split reads the job's partitions and counts the shards that the job counts:
 * what a job document says needn't be said again.
 * @throws ProblemsError TRAINING_CONFIG_INVALID naming what the config says otherwise
 */
export function withJobSplit(
  document: unknown,
  { layout, shardPattern }: Pick<JobDocument, 'layout' | 'shardPattern'>,
  origin: string,
): unknown {
  if (!isRecord(document) || !isRecord(document.split)) return document;
  const { split } = document;
  const ofJob = {
    ...(split.by === 'date' ? { partitions: layout.text } : {}),
    ...(shardPattern === undefined ? {} : { shardPattern }),
  };
  const problems = Object.entries(ofJob)
    .filter(([key, value]) => split[key] !== undefined && split[key] !== value)
    .map(([key, value]) => `split.${key}: ${JSON.stringify(split[key])}, where the job says "${value}"`);
  if (problems.length > 0) {
    const summary = 'the training config contradicts the job document';
    throw new ProblemsError('TRAINING_CONFIG_INVALID', summary, problems, { file: origin });
  }
  return { ...document, split: { ...split, ...ofJob } };
}
