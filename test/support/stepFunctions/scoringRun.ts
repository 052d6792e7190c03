import { readFileSync } from 'node:fs';
import { handler as planHandler } from '../../../functions/plan.ts';
import { handler as publishHandler } from '../../../functions/publish.ts';
import { handler as scoreHandler } from '../../../functions/score.ts';
import { writeWhole } from '../../../lib/storage/openStorage.ts';
import { readS3Json } from '../s3/readS3Json.ts';
import type { Definition, Services } from './runStateMachine.ts';

const file = new URL('../../../infra/scoringRun.asl.json', import.meta.url);

/** The state machine as it is deployed. */
export const scoringRun = JSON.parse(readFileSync(file, 'utf8')) as Definition;

/** Its functions in this process. @param remainingMillis that a scorer has */
export function scoringRunServices(remainingMillis: () => number = () => 600_000): Services {
  return {
    functions: {
      Plan: planHandler,
      ScoreUnit: async (payload) => {
        const scored = await scoreHandler(payload, { getRemainingTimeInMillis: remainingMillis });
        // As Lambda does: what is answered has been through JSON.
        return JSON.parse(JSON.stringify(scored));
      },
      PublishPartition: publishHandler,
    },
    readJson: readS3Json,
    writeJson: (bucket, key, document) =>
      writeWhole(`s3://${bucket}/${key}`, Buffer.from(JSON.stringify(document))),
  };
}
