import { describe, expect, it } from 'vitest';
import { invokeAuditFunction } from '../../lib/gates/invokeAuditFunction.ts';
import { ownVerdict } from '../../lib/gates/ownAudit.ts';
import type { AuditFunction } from '../../lib/job/gateSettings.ts';
import { testLambda } from '../support/lambda/invokedFunction.ts';

const lambda = testLambda();
const audited = {
  root: 's3://b/scores',
  partition: 'dt=2024-03-09',
  manifestUri: 's3://b/scores/manifests/m',
};
const AUDIT: AuditFunction = { function: 'scores-audit', action: 'block', timeoutSeconds: 30 };
const ask = (over: Partial<AuditFunction> = {}) => invokeAuditFunction({ ...AUDIT, ...over }, audited);
const answers = (answer: object) => {
  lambda.answer = { body: JSON.stringify(answer) };
};

describe('an audit by a function', () => {
  it('gives it root, partition and manifest, and takes its word and its numbers', async () => {
    answers({ passes: true, reason: 'as yesterday', found: 0.02, bound: 0.1, more: ['of its own'] });
    expect(await ask()).toEqual({
      ...{ gate: 'audit', subject: 'scores-audit', verdict: 'pass', found: 0.02, bound: 0.1, against: '' },
      reason: 'as yesterday',
    });
    expect(lambda.invocations).toMatchObject([{ function: 'scores-audit', payload: audited }]);
  });

  it('blocks or warns, as the job says, where it says no', async () => {
    answers({ passes: false, reason: 'shares moved' });
    expect(await ask()).toMatchObject({ verdict: 'block', found: null, bound: null, reason: 'shares moved' });
    expect(await ask({ action: 'warn' })).toMatchObject({ verdict: 'warn', reason: 'shares moved' });
  });

  it.each([
    ['a text', '"passes"'],
    ['another key', '{"passed":true}'],
    ['a word for a truth value', '{"passes":"true"}'],
    ['no JSON', 'yes'],
    ['nothing', ''],
  ])('does not pass by %s', async (_, body) => {
    lambda.answer = { body };
    expect(await ask()).toMatchObject({
      verdict: 'block',
      reason: `it answered something else than {"passes": true} or false: ${body}`,
    });
  });

  it('does not pass where the function fails, though its answer says so, and tells of the error', async () => {
    const headers = { 'x-amz-function-error': 'Unhandled' };
    const body = JSON.stringify({ errorType: 'KeyError', errorMessage: 'no column', passes: true });
    lambda.answer = { headers, body };
    expect(await ask()).toMatchObject({ verdict: 'block', reason: 'it failed: KeyError: no column' });
    lambda.answer = { headers, body: 'gone' };
    expect(await ask()).toMatchObject({ verdict: 'block', reason: 'it failed: gone' });
  });

  it('ends when its time is over', async () => {
    lambda.next.push(undefined);
    const startMillis = performance.now();
    const verdict = await ask({ timeoutSeconds: 0.3 });
    expect(verdict).toMatchObject({ verdict: 'block', reason: 'no answer within 0.3 s' });
    expect(performance.now() - startMillis).toBeLessThan(10_000);
    expect(lambda.invocations).toHaveLength(1);
  });

  it('may take a time that is no whole number of milliseconds', async () => {
    answers({ passes: true });
    for (const timeoutSeconds of [2.01, 8.2, 1.0005]) {
      expect(await ask({ timeoutSeconds })).toMatchObject({ verdict: 'pass' });
    }
  });

  it('is asked again when throttled, and not when it is forbidden', async () => {
    const refusal = (status: number, kind: string) => ({
      status,
      headers: { 'x-amzn-errortype': kind },
      body: '{"message":"refused"}',
    });
    lambda.next.push(refusal(429, 'TooManyRequestsException'));
    expect(await ask()).toMatchObject({ verdict: 'pass' });
    expect(lambda.invocations).toHaveLength(2);
    lambda.answer = refusal(403, 'AccessDeniedException');
    expect(await ask()).toMatchObject({
      verdict: 'block',
      reason: expect.stringMatching(/^it could not be invoked: AccessDeniedException: .*refused/),
    });
    expect(lambda.invocations).toHaveLength(3);
  });

  it('of an ARN is asked in its region', async () => {
    const arn = 'arn:aws:lambda:ap-south-1:123456789012:function:audit:live';
    expect(await ask({ function: arn })).toMatchObject({ verdict: 'pass', subject: arn });
    expect(lambda.invocations).toMatchObject([{ function: arn, region: 'ap-south-1' }]);
  });
});

it('an audit that nobody carries out here is not run, and does not pass', async () => {
  const command = { command: ['true'], action: 'block' as const, timeoutSeconds: 1 };
  const noCommands = { function: invokeAuditFunction };
  expect(await ownVerdict(command, audited, noCommands)).toMatchObject({
    verdict: 'block',
    reason: 'the audit is a command, and commands run on the command line only',
  });
  expect(await ownVerdict({ ...AUDIT, action: 'warn' }, audited, {})).toMatchObject({
    verdict: 'warn',
    reason: 'the audit is the function scores-audit, which may not be invoked from here',
  });
  expect(lambda.invocations).toEqual([]);
});
