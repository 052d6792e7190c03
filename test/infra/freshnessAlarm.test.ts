import { expect, it } from 'vitest';
import { newestPublished } from '../../functions/freshness.ts';
import { parseJob } from '../../lib/job/jobDocument.ts';
import { packagedTemplate } from '../support/cloudFormation/packagedTemplate.ts';

// The alarm's properties as packaged, evaluated as CloudWatch does over what the function would have counted.
const DEADLINE_HOURS = 6;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.parse('2024-03-01T00:00:00Z');
const job = parseJob({ input: 'i', scores: 's', model: 'm' });
const template = packagedTemplate('prod', `--param=deadlineHours=${DEADLINE_HOURS}`);
const alarm = template.ScoresStaleAlarm!.Properties as Readonly<Record<string, unknown>>;
const minute = Number(
  /^cron\((\d+) \* /.exec(String(template.FreshnessSchedule!.Properties!.ScheduleExpression))![1],
);

/** Hours of the stage's life, from its deployment on, in which the alarm is in ALARM. @param published hour of each day's scores */
function alarmingHours(
  published: readonly (number | undefined)[],
  deployedHour: number,
  hours: number,
): number[] {
  const looks: (number | undefined)[] = [];
  const alarming: number[] = [];
  for (let hour = deployedHour; hour < deployedHour + hours; hour++) {
    const now = START + hour * HOUR + minute * 60_000;
    const visible = published.flatMap((publishedHour, day) =>
      publishedHour !== undefined && START + day * DAY + publishedHour * HOUR <= now
        ? [`dt=${new Date(START + (day - 1) * DAY).toISOString().slice(0, 10)}`]
        : [],
    );
    looks.push(newestPublished(visible, job, now)?.ageHours);
    const window = looks.slice(-Number(alarm.EvaluationPeriods));
    const breaching = window.filter((age) => age !== undefined && age > Number(alarm.Threshold));
    // Looks that are missing count as the alarm says: not as breaching.
    if (breaching.length >= Number(alarm.DatapointsToAlarm)) alarming.push(hour);
  }
  return alarming;
}

it('is of what the function counts, above the deadline, and missing looks are no reason', () => {
  expect(alarm).toMatchObject({
    MetricName: 'newestPublishedAgeHours',
    ComparisonOperator: 'GreaterThanThreshold',
    Statistic: 'Minimum',
    Period: 3600,
    TreatMissingData: 'notBreaching',
  });
});

it('is silent on the first day of a stage, even one that starts with scores of long ago', () => {
  expect(alarmingHours([], 0, 48)).toEqual([]);
  expect(alarmingHours([undefined, 3], 5 * 24, 24 - 1)).toEqual([]);
  // Thereafter it says what is so.
  expect(alarmingHours([undefined, 3], 5 * 24, 48)).toHaveLength(25);
});

it('is silent while nights end before the deadline, early or late', () => {
  // From just after midnight to just before the deadline, in the worst order.
  const nights = [2.9, 0.1, 5.9, 0.1, 6, 5.9, 0.2, 6, 3];
  expect(alarmingHours(nights, 0, nights.length * 24)).toEqual([]);
});

it('fires within an hour of the deadline when upstream stops, although runs go on and end unchanged', () => {
  for (const last of [0.1, 3, 5.9, 6]) {
    const alarming = alarmingHours([3, 3, last], 0, 5 * 24);
    const due = 3 * 24 + DEADLINE_HOURS;
    expect(alarming[0]).toBeGreaterThanOrEqual(due);
    expect(alarming[0]).toBeLessThanOrEqual(due + 1);
    expect(alarming).toEqual(Array.from({ length: 5 * 24 - alarming[0]! }, (_, i) => alarming[0]! + i));
  }
});

it('ends with the scores that were missing, and stays ended', () => {
  const alarming = alarmingHours([3, 3, 20, 4, 3], 0, 5 * 24);
  expect(alarming[0]).toBe(2 * 24 + DEADLINE_HOURS);
  // A day that is 20 hours late is fresh for nobody; the next one is.
  expect(alarming.at(-1)).toBe(3 * 24 + 3);
});
