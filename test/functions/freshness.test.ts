import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { handler, newestPublished } from '../../functions/freshness.ts';
import { metrics } from '../../functions/telemetry.ts';
import { parseJob } from '../../lib/job/jobDocument.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { setJob } from '../support/functions/jobVariable.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';

const jobOf = (over: object) => parseJob({ input: 'i', scores: 's', model: 'm', ...over });
const at = (text: string) => Date.parse(text);

describe('the newest published partition', () => {
  it.each([
    [
      'a day, in hours since its end',
      {},
      ['dt=2024-03-08', 'dt=2024-03-09', 'dt=2024-03-07'],
      'dt=2024-03-09',
      7,
    ],
    ['a day whose clock is ahead', { timeZone: 'Asia/Tokyo' }, ['dt=2024-03-09'], 'dt=2024-03-09', 16],
    [
      'by time, and not by name',
      { partitions: 'region=/date=%Y%m%d' },
      ['region=us/date=20240307', 'region=us/date=20240309', 'region=us/date=20240308'],
      'region=us/date=20240309',
      7,
    ],
    [
      'that of the region which is furthest behind',
      { partitions: 'region=/date=%Y%m%d' },
      ['region=eu/date=20240309', 'region=us/date=20240307', 'region=us/date=20240306'],
      'region=us/date=20240307',
      55,
    ],
    [
      'that of a region which is a week behind, and none of one that has been given up',
      { partitions: 'region=/dt=' },
      ['region=eu/dt=2024-03-09', 'region=us/dt=2024-03-02', 'region=uk/dt=2024-03-01'],
      'region=us/dt=2024-03-02',
      7 + 7 * 24,
    ],
    [
      'an hour',
      { partitions: 'dt=/hour=' },
      ['dt=2024-03-09/hour=23', 'dt=2024-03-10/hour=5', 'dt=2024-03-10/hour=4'],
      'dt=2024-03-10/hour=5',
      1,
    ],
    ['one that still lasts', {}, ['dt=2024-03-09', 'dt=2024-03-10'], 'dt=2024-03-10', 0],
    ['none of a wrong date', {}, ['dt=2024-03-09', 'dt=2042-03-09'], 'dt=2024-03-09', 7],
    ['none that the layout has no name for', {}, ['dt=2024-03-09', 'dt=test'], 'dt=2024-03-09', 7],
    [
      'one to come, where the job takes those',
      { newest: { allowFuture: true } },
      ['dt=2024-03-09', 'dt=2024-03-12'],
      'dt=2024-03-12',
      0,
    ],
  ])('is %s', (_, over, partitions, partition, ageHours) => {
    // Half past seven: ages are whole hours.
    const found = newestPublished(partitions, jobOf(over), at('2024-03-10T07:30:00Z'));
    expect(found).toEqual({ partition, ageHours });
  });

  it('is none before the first publication', () => {
    expect(newestPublished([], jobOf({}), 0)).toBeUndefined();
  });
});

describe('every hour', () => {
  const s3 = testEndpoint();
  const added = vi.spyOn(metrics, 'addMetric');
  const root = () => `s3://${s3.bucket}/freshness`;

  beforeEach(() => {
    vi.useFakeTimers({ now: at('2024-03-10T07:30:00Z'), toFake: ['Date'] });
    setJob({ input: `${root()}/features`, scores: `${root()}/scores`, model: `${root()}/model` });
  });
  afterEach(() => {
    vi.useRealTimers();
    added.mockClear();
  });

  it('the age of what has a pointer is counted, and nothing where there is none', async () => {
    expect(await handler({})).toBeNull();
    expect(added).not.toHaveBeenCalled();
    for (const day of ['2024-03-08', '2024-03-09']) {
      await writeWhole(`${root()}/scores/pointers/dt=${day}.json`, Buffer.from('{}'));
    }
    await writeWhole(`${root()}/scores/manifests/dt=2024-03-10/x.json`, Buffer.from('{}'));
    expect(await handler({})).toEqual({ partition: 'dt=2024-03-09', ageHours: 7 });
    expect(added.mock.calls).toEqual([['newestPublishedAgeHours', 'Count', 7]]);
  });

  it.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)(
    'the pointers are listed, and nothing is asked for that the role may not read: no object, and not their folder as one',
    async () => {
      const { requests } = s3.double!;
      const before = requests.length;
      await handler({});
      const asked = requests
        .slice(before)
        .map(({ method, key, query }) => [method, key, query.get('prefix')]);
      expect(asked).toEqual([['GET', '', 'freshness/scores/pointers/']]);
    },
  );

  it('nothing is counted under a layout without a day', async () => {
    setJob({
      input: `${root()}/features`,
      scores: `${root()}/scores`,
      model: `${root()}/model`,
      partitions: 'region=',
    });
    expect(await handler({})).toBeNull();
    expect(added).not.toHaveBeenCalled();
  });
});
