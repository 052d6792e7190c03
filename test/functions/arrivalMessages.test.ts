import { describe, expect, it } from 'vitest';
import { readArrivalMessage } from '../../functions/arrivalMessages.ts';

const notification = (...keys: string[]) => ({
  Records: keys.map((key) => ({ s3: { bucket: { name: 'b' }, object: { key } } })),
});
const inSns = (message: object) => ({
  Type: 'Notification',
  TopicArn: 'arn:aws:sns:eu-central-1:123456789012:uploads',
  Message: JSON.stringify(message),
});
const created = (key: string) => ({
  version: '0',
  'detail-type': 'Object Created',
  source: 'aws.s3',
  detail: { bucket: { name: 'b' }, object: { key, size: 5, 'version-id': null } },
});
const ended = (status: string, input: unknown) => ({
  'detail-type': 'Step Functions Execution Status Change',
  source: 'aws.states',
  detail: { status, input: JSON.stringify(input), inputDetails: { included: true } },
});
const read = (message: unknown) => readArrivalMessage(JSON.stringify(message));
const arrival = { partition: 'dt=2024-03-09', round: 3, waitSeconds: 120 };

describe('a message', () => {
  it.each([
    ["S3's notification, also of raw delivery", notification('dt%3D1/a.parquet', 'a+b/%C3%BC%2B.parquet')],
    ['a notification that SNS has wrapped', inSns(notification('dt%3D1/a.parquet', 'a+b/%C3%BC%2B.parquet'))],
  ])('may be %s: its keys are decoded as forms encode them', (_, message) => {
    expect(read(message)).toEqual({
      kind: 'objects',
      uris: ['s3://b/dt=1/a.parquet', 's3://b/a b/ü+.parquet'],
    });
  });

  it.each([
    ['alone', created('dt=1/a+b%20.parquet')],
    ['by way of SNS', inSns(created('dt=1/a+b%20.parquet'))],
  ])("may be EventBridge's %s, whose keys are as they are", (_, message) => {
    expect(read(message)).toEqual({ kind: 'objects', uris: ['s3://b/dt=1/a+b%20.parquet'] });
  });

  it('may be the test event of S3, which names none', () => {
    expect(read({ Service: 'Amazon S3', Event: 's3:TestEvent', Bucket: 'b' })).toEqual({
      kind: 'objects',
      uris: [],
    });
  });

  it.each(['FAILED', 'TIMED_OUT', 'ABORTED'])('may be the end of a run that %s', (status) => {
    expect(read(ended(status, { arrival }))).toEqual({ kind: 'ended', arrival });
    expect(read(ended(status, { partitions: { kind: 'newest' } }))).toEqual({ kind: 'otherRun' });
  });

  it.each([
    ['{"hello":"world"}', /tells of no object and of no run \(.*found an object of hello\)/],
    ['[]', /found object/],
    ['no JSON', /not JSON/],
    ['{"Records":[]}', /Records: /],
    ['{"Records":[{"s3":{}}]}', /Records\.0\.s3\.bucket: /],
    [JSON.stringify(notification('a.parquet', '%zz')), /Records\.1\.s3\.object\.key: /],
    [JSON.stringify(inSns({ hello: 'world' })), /found an object of hello/],
    [JSON.stringify(inSns(inSns(inSns(inSns(notification('a')))))), /found an object of Type/],
    ['{"Type":"Notification"}', /Message: /],
    [JSON.stringify({ ...created('a'), 'detail-type': 'Object Deleted' }), /tells of no object/],
    [JSON.stringify({ ...created('a'), detail: {} }), /detail\.bucket: /],
    [JSON.stringify(ended('SUCCEEDED', { arrival })), /detail\.status: /],
  ])('is refused when it is %s, with the reason', (body, reason) => {
    expect(() => readArrivalMessage(body)).toThrow(
      expect.objectContaining({ code: 'EVENT_INVALID', message: expect.stringMatching(reason) }),
    );
  });
});
