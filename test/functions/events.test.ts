import type { SQSRecord } from 'aws-lambda';
import { describe, expect, it, vi } from 'vitest';
import { handleEach, notifiedObjects } from '../../functions/events.ts';
import { logger } from '../../functions/telemetry.ts';
import { StorageError } from '../../lib/base/errors.ts';

const notification = (...keys: string[]) => ({
  Records: keys.map((key) => ({ s3: { bucket: { name: 'b' }, object: { key } } })),
});

describe('a notification', () => {
  it('names its objects, with keys decoded as forms encode them', () => {
    expect(notifiedObjects(notification('dt%3D1/a.parquet', 'a+b/%C3%BC%2B.parquet'))).toEqual([
      's3://b/dt=1/a.parquet',
      's3://b/a b/ü+.parquet',
    ]);
  });

  it('may be the test event, which names none', () => {
    expect(notifiedObjects({ Event: 's3:TestEvent' })).toEqual([]);
  });

  it.each([
    [null, 'document'],
    [{ Records: [{ s3: {} }] }, 'Records.0.s3.bucket'],
    [notification('a.parquet', '%zz'), 'Records.1.s3.object.key'],
  ])('is refused as a whole when it is %j, with the place that is wrong', (document, place) => {
    expect(() => notifiedObjects(document)).toThrow(
      expect.objectContaining({
        code: 'EVENT_INVALID',
        problems: expect.arrayContaining([expect.stringMatching(`^${place}: `)]),
      }),
    );
  });
});

describe('a batch of messages', () => {
  const record = (messageId: string, body: string) => ({ messageId, body }) as SQSRecord;

  it('names what failed, and logs of each failure whether it may pass; the others are done', async () => {
    const logged = vi.spyOn(logger, 'error').mockImplementation(() => {});
    const done: unknown[] = [];
    const records = [
      record('a', '1'),
      record('b', '{'),
      record('c', '2'),
      record('d', '3'),
      record('e', '4'),
    ];
    const answer = await handleEach(records, 'the work failed', async (message) => {
      if (message === 2) throw new StorageError('STORAGE_READ_FAILED', 'slow down', { retryable: true });
      if (message === 3) throw new StorageError('STORAGE_NOT_FOUND', 'there is no such object');
      done.push(message);
    });
    expect(done).toEqual([1, 4]);
    expect(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)).toEqual(['b', 'c', 'd']);
    const code = (name: string) => expect.objectContaining({ code: name });
    expect(logged.mock.calls).toEqual([
      ['the work failed', { messageId: 'b', retryable: false, error: code('EVENT_INVALID') }],
      ['the work failed', { messageId: 'c', retryable: true, error: code('STORAGE_READ_FAILED') }],
      ['the work failed', { messageId: 'd', retryable: false, error: code('STORAGE_NOT_FOUND') }],
    ]);
    logged.mockRestore();
  });
});
