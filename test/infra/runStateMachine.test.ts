import { expect, it } from 'vitest';
import {
  type Definition,
  RunFailed,
  runStateMachine,
  type Services,
} from '../support/stepFunctions/runStateMachine.ts';

// What the tests of the state machine stand on: an interpreter that is kinder than Step Functions would hide what fails there.
const services: Services = {
  functions: { score: async (size) => ({ text: 'x'.repeat(Number(size)) }) },
  readJson: async () => [1, 2],
  writeJson: async () => {},
};
const INPUT = { items: { bucket: 'b', key: 'k' }, size: 1 };

const invoke = (payload: string) => ({
  Type: 'Task',
  Resource: 'arn:aws:states:::lambda:invoke',
  Parameters: {
    FunctionName: 'arn:aws:lambda:eu-central-1:123456789012:function:ncs4cvr-dev-score',
    'Payload.$': payload,
  },
});
const map = {
  Type: 'Map',
  Label: 'Items',
  ItemReader: { Parameters: { 'Bucket.$': '$.items.bucket', 'Key.$': '$.items.key' } },
  ResultWriter: { Parameters: { 'Bucket.$': '$.items.bucket', 'Prefix.$': '$.items.key' } },
  MaxConcurrency: 1,
  ItemProcessor: {
    ProcessorConfig: { Mode: 'DISTRIBUTED' },
    StartAt: 'Item',
    States: { Item: { ...invoke('$'), End: true } },
  },
};
const alone = (state: Definition['States'][string]): Definition => ({
  StartAt: 'Only',
  States: { Only: { ...state, End: true } },
});

it.each([
  ['a task', invoke('$.size'), { Payload: { text: 'x' } }],
  [
    'a distributed map',
    map,
    { MapRunArn: expect.any(String), ResultWriterDetails: { Bucket: 'b', Key: expect.any(String) } },
  ],
])(
  'the result of %s replaces its input, unless ResultPath says where it goes or that it goes nowhere',
  async (_, state, result) => {
    const run = (more: object) => runStateMachine(alone({ ...state, ...more }), INPUT, services);
    expect(await run({})).toEqual(result);
    expect(await run({ ResultPath: '$.result' })).toEqual({ ...INPUT, result });
    expect(await run({ ResultPath: null })).toEqual(INPUT);
  },
);

it('a result of more than 256 KB fails the run', async () => {
  const run = (size: number) => runStateMachine(alone(invoke('$.size')), { ...INPUT, size }, services);
  await expect(run(200_000)).resolves.toBeDefined();
  const failure = await run(263_000).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(RunFailed);
  expect(failure).toMatchObject({ name: 'States.DataLimitExceeded', state: 'Only' });
});
