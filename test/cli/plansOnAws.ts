import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { filesBelow } from '../scoring/filesBelow.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { setJob } from '../support/functions/jobVariable.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { scoringRun, scoringRunServices } from '../support/stepFunctions/scoringRun.ts';
import { StepFunctionsDouble } from '../support/stepFunctions/stepFunctionsDouble.ts';
import { callMain } from './callMain.ts';
import './quickPauses.mjs';

// Plans that operators start on AWS: the commands against doubles of S3 and Step Functions, without their pauses of half a second
// and more between two looks at an execution; the state machine as it is deployed runs the functions in this process.
export const s3 = testEndpoint();
export const folder = temporaryFolder();
export const plan = join(folder, 'plan.json');
/** Started before the tests of a file that imports this one. */
export let sfn: StepFunctionsDouble;
/** Of the test at hand, in the bucket. */
export let root: string;
let caseNumber = 0;
/** What tests make the functions do; undone before each test. */
export const functionsDo: {
  /** Does planning fail? */
  failToPlan: boolean;
  /** Does a gate refuse every partition? */
  refuse: boolean;
  /** What scoring waits for. */
  scoreAfter: Promise<void>;
} = { failToPlan: false, refuse: false, scoreAfter: Promise.resolve() };

beforeAll(async () => {
  const { bundleUri } = await trainTinyModel(join(folder, 'model'));
  for (const name of filesBelow(bundleUri)) put(`model/${name}`, readFileSync(join(bundleUri, name)));
  const services = scoringRunServices();
  sfn = await StepFunctionsDouble.start(scoringRun, {
    ...services,
    functions: {
      ...services.functions,
      plan: async (step) => {
        if (functionsDo.failToPlan)
          throw Object.assign(new Error('no memory left'), { name: 'Runtime.OutOfMemory' });
        return services.functions.plan!(step);
      },
      score: async (unit) => {
        await functionsDo.scoreAfter;
        return services.functions.score!(unit);
      },
      publish: async (request) => {
        if (functionsDo.refuse)
          return { kind: 'refused', error: 'PartitionRefused', problem: 'a gate refuses it' };
        return services.functions.publish!(request);
      },
    },
  });
  process.env.AWS_ENDPOINT_URL_SFN = sfn.endpoint;
}, 60_000);
afterAll(() => sfn.stop());

beforeEach(() => {
  root = `case-${caseNumber++}`;
  Object.assign(functionsDo, { failToPlan: false, refuse: false, scoreAfter: Promise.resolve() });
  sfn.executions.clear();
  sfn.calls.length = 0;
  sfn.forbidden = undefined;
  setJob({ input: uri('features'), scores: uri('scores'), model: `s3://${s3.bucket}/model` });
});

export const uri = (name: string) => `s3://${s3.bucket}/${root}/${name}`;
export const put = (key: string, bytes: Uint8Array) =>
  s3.double!.buckets.get(s3.bucket)!.put(key, Buffer.from(bytes), {}, {});
export const land = (partition: string, rows: number, day = '2024-03-09') =>
  put(`${root}/features/${partition}/a.parquet`, funnelShard(funnelRows(day, rows), 20));
export const planFor = async (partition: string, scores = uri('scores'), ...more: readonly string[]) => {
  const planned = await callMain(
    ...['plan', '--model', `s3://${s3.bucket}/model`, '--input', uri('features'), '--scores', scores],
    ...['--partition', partition, '--target-rows', '40', '--output', plan, ...more],
  );
  expect(planned.exitCode, planned.stderr).toBe(0);
};
export const run = (...more: readonly string[]) =>
  callMain('run', '--plan', plan, '--state-machine', sfn.stateMachineArn, ...more);
export const redrive = (...more: readonly string[]) =>
  callMain('redrive', '--state-machine', sfn.stateMachineArn, ...more);
export const only = () => {
  expect(sfn.executions.size).toBe(1);
  return [...sfn.executions.values()][0]!;
};
