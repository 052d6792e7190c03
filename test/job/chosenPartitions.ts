import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { choosePartitions, type PartitionChoice } from '../../lib/job/choosePartitions.ts';
import { parseJob } from '../../lib/job/jobDocument.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

/** Of the inputs; tests may put others below it. */
export const folder = temporaryFolder();
/** When choices are made, unless a test says when. */
export const NOON = Date.parse('2024-03-07T12:00:00Z');

/** An input root of empty files on disk. */
export function inputOf(...files: readonly string[]): string {
  const root = mkdtempSync(join(folder, 'input-'));
  for (const file of files) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), '');
  }
  return root;
}

export const shardsIn = (...partitions: readonly string[]) =>
  partitions.map((each) => `${each}/part-0.parquet`);

/** What a job takes of an input. */
export async function choose(input: string, job: object, choice: PartitionChoice, nowMillis = NOON) {
  const document = parseJob({ input, scores: 's', model: 'm', ...job });
  const { partitions, skipped, missingDays } = await choosePartitions(document, choice, nowMillis);
  return { chosen: partitions.map(({ partition }) => partition), skipped, missingDays };
}

/** What a job takes of files when it is asked for the newest partition. */
export const newest = async (files: readonly string[], job: object = {}, nowMillis = NOON) =>
  choose(inputOf(...files), job, { kind: 'newest' }, nowMillis);
