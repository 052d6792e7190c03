import { handler as planHandler } from '../../../functions/plan.ts';
import { handler as publishHandler } from '../../../functions/publish.ts';
import { handler as scoreHandler } from '../../../functions/score.ts';
import { writeWhole } from '../../../lib/storage/openStorage.ts';
import { packagedTemplate } from '../cloudFormation/packagedTemplate.ts';
import { resolveTemplate } from '../cloudFormation/resolveTemplate.ts';
import { readS3Json } from '../s3/readS3Json.ts';
import type { Definition, Services } from './runStateMachine.ts';

/**
 * The state machine as it is deployed: out of the packaged template, with its substitutions made. The source is no stand-in:
 * the packager has dropped a part of it before.
 */
export const scoringRun = resolveTemplate(packagedTemplate('prod')).ScoringRun!.Properties!
  .Definition as Definition;

let lastScored: Promise<unknown> = Promise.resolve();

/** One unit at a time, as a process of Lambda works: the next one may put another model in the place of this one's. */
function scoreAlone(unit: unknown, remainingMillis: () => number): Promise<unknown> {
  const scored = lastScored.then(() => scoreHandler(unit, { getRemainingTimeInMillis: remainingMillis }));
  lastScored = scored.catch(() => undefined);
  return scored;
}

/** Its functions in this process. @param remainingMillis that a scorer has */
export function scoringRunServices(remainingMillis: () => number = () => 600_000): Services {
  return {
    functions: {
      plan: (payload) => planHandler(payload),
      score: (payload) => scoreAlone(payload, remainingMillis),
      publish: (payload) => publishHandler(payload),
    },
    readJson: readS3Json,
    writeJson: (bucket, key, document) =>
      writeWhole(`s3://${bucket}/${key}`, Buffer.from(JSON.stringify(document))),
  };
}
