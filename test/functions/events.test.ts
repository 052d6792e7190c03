import { describe, expect, it } from 'vitest';
import { notifiedObjects } from '../../functions/events.ts';

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
