import { z } from 'zod';
import { CODE_VERSION } from '../lib/base/codeVersion.ts';
import { decodeJson, parseDocument } from '../lib/base/jsonDocument.ts';
import { mapConcurrently } from '../lib/base/mapConcurrently.ts';
import { OUTPUT_FORMAT_VERSION } from '../lib/publish/outputLayout.ts';
import { type PartitionRun, partitionRunSchema } from '../lib/publish/partitionRun.ts';
import { type EndedPartition, writeExecutionRecord } from '../lib/publish/runRecord.ts';
import { messageIn } from '../lib/stateMachine/execution.ts';
import { storageFor } from '../lib/storage/openStorage.ts';
import { metrics } from './telemetry.ts';

/** The step of a run that has tried all its partitions. */
export const recordStepSchema = z.strictObject({
  step: z.literal('recordRun'),
  /** Name of the execution. */
  run: z.string(),
  startedAt: z.iso.datetime(),
  /** Manifest of what became of its partitions, as the map over them has written it. */
  results: z.object({ Bucket: z.string(), Key: z.string() }),
});

/**
 * As Distributed Map writes what became of its items
 * (https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html).
 */
const resultsSchema = z.array(
  z.object({
    Status: z.string(),
    Input: z.string(),
    Output: z.string().optional(),
    Error: z.string().optional(),
    Cause: z.string().optional(),
    StopDate: z.iso.datetime({ offset: true }),
    StartDate: z.iso.datetime({ offset: true }),
  }),
);
type Result = z.infer<typeof resultsSchema>[number];

const inputSchema = z.object({
  item: z.object(
    partitionRunSchema.pick({ partition: true, model: true, modelUri: true, jobDigest: true }).shape,
  ),
});
/** As much of a `PublishedItem` as tells how a partition ended. */
const outputSchema = z.object({ kind: z.string(), problem: z.string().optional() });

/** That parts are missing whatever was tried; a publication that is incomplete since more has landed is followed by another one. */
const INCOMPLETE = 'PartitionIncomplete';

/** Failures that infra/scoringRun.asl.json ends a partition with; all others are of a step that failed. */
const OUTCOMES: Readonly<Record<string, string>> = {
  [INCOMPLETE]: 'incomplete',
  PartitionRefused: 'refused',
  PartitionSuperseded: 'superseded',
  // Readers have it.
  PartitionPublishedWithout: 'published',
};

/** Items that had no turn stand in a file of their own. */
const RESULT_FILE = /^(SUCCEEDED|FAILED)_\d+\.json$/;
const READS_AT_A_TIME = 4;

/**
 * Notes how the partitions of a run have ended, for `ncs4cvr status`, and counts those that it leaves incomplete. The same call
 * again leaves what is written.
 * @returns how many they are
 */
export async function recordRun(
  { run, startedAt, results: { Bucket, Key } }: z.infer<typeof recordStepSchema>,
  root: string,
): Promise<{ readonly recorded: number }> {
  // A map run has a folder of its own.
  const folder = `s3://${Bucket}/${Key.slice(0, Key.lastIndexOf('/') + 1)}`;
  const files = (await storageFor(folder).list(folder)).filter(({ relativePath }) =>
    RESULT_FILE.test(relativePath),
  );
  const results = (await mapConcurrently(files, READS_AT_A_TIME, ({ uri }) => readResults(uri))).flat();
  // After a redrive, a file of the attempt before may still tell of a partition.
  const last = new Map(results.sort(byEnd).map((each) => [each.item.partition, each]));
  const partitions = [...last.values()].map((each) => endedPartition(each, Date.parse(startedAt)));
  const [first] = last.values();
  if (first === undefined) return { recorded: 0 };
  const { model, modelUri, jobDigest } = first.item;
  await writeExecutionRecord(root, {
    formatVersion: OUTPUT_FORMAT_VERSION,
    codeVersion: CODE_VERSION,
    startedAt: new Date(startedAt).toISOString(),
    seconds: Math.max(...partitions.map((each) => each.startSeconds + each.seconds)),
    ...{ model, modelUri, jobDigest, execution: run, partitions },
  });
  const left = [...last.values()].filter(({ Error: error }) => error === INCOMPLETE).length;
  if (left > 0) metrics.addMetric('leftIncomplete', 'Count', left);
  return { recorded: partitions.length };
}

type PartitionResult = Result & {
  readonly item: Pick<PartitionRun, 'partition' | 'model' | 'modelUri' | 'jobDigest'>;
};

async function readResults(uri: string): Promise<PartitionResult[]> {
  const code = 'PUBLISH_DOCUMENT_INVALID';
  const as = { code, summary: "these aren't results as Step Functions writes them", file: uri };
  const results = parseDocument(decodeJson(await storageFor(uri).readWhole(uri), as), resultsSchema, as);
  return results.map((result) => ({ ...result, ...inputSchema.parse(JSON.parse(result.Input)) }));
}

/** The last one last; of several that end together, the one that didn't fail. */
function byEnd(a: PartitionResult, b: PartitionResult): number {
  const rank = ({ Status }: Result) => (Status === 'SUCCEEDED' ? 1 : 0);
  return Date.parse(a.StopDate) - Date.parse(b.StopDate) || rank(a) - rank(b);
}

function endedPartition(result: PartitionResult, startMillis: number): EndedPartition {
  const begun = Date.parse(result.StartDate);
  return {
    partition: result.item.partition,
    startSeconds: Math.max(0, (begun - startMillis) / 1000),
    seconds: Math.max(0, (Date.parse(result.StopDate) - begun) / 1000),
    ...howItEnded(result),
  };
}

function howItEnded({
  Status,
  Output,
  Error: error,
  Cause,
}: Result): Pick<EndedPartition, 'outcome' | 'problems'> {
  if (Status === 'SUCCEEDED') {
    const { kind, problem } = outputSchema.parse(JSON.parse(Output ?? ''));
    return { outcome: kind, problems: problem === undefined ? [] : [problem] };
  }
  const cause = Cause === undefined ? undefined : messageIn(Cause);
  const outcome = OUTCOMES[error ?? ''];
  if (outcome !== undefined) return { outcome, problems: cause === undefined ? [] : [cause] };
  // Errors of ncs4cvr begin with their codes.
  const isNamed = cause !== undefined && /^[A-Z][A-Z\d_]+: /.test(cause);
  const told = isNamed ? [cause] : [error ?? Status, cause].filter((text) => text !== undefined);
  return { outcome: 'failed', problems: [told.join(': ')] };
}
