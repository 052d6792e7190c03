import { describe, expect, it } from 'vitest';
import { type GateInput, judgePublication, type RepeatedContent } from '../../lib/gates/judgePublication.ts';
import { type GateAction, gateSettingsSchema } from '../../lib/job/gateSettings.ts';
import { candidate, judged, NO_EARLIER, reference } from './judgedNights.ts';

const NOTHING_REPEATED: RepeatedContent = {
  ...{ compared: [], rows: [], keys: [], features: [] },
  ...{ unpublished: [], files: [], inputKeys: [], besideRows: [], besideFiles: [] },
};
const input = (over: Partial<GateInput> = {}): GateInput => ({
  candidate: candidate(),
  earlier: { ...NO_EARLIER, previous: judged('yesterday') },
  reference: reference(),
  repeatedKeys: undefined,
  repeatedContent: NOTHING_REPEATED,
  ...over,
});
const BUILT_IN = Object.keys(gateSettingsSchema.parse({}));
const settings = (
  over: Readonly<Record<string, { readonly action?: GateAction; readonly sameKeys?: GateAction }>>,
) => gateSettingsSchema.parse(over);

describe('the gates of a job', () => {
  it('each say something of a partition, if only why they were skipped, and nothing where they are off', () => {
    const all = settings(Object.fromEntries(BUILT_IN.map((gate) => [gate, { action: 'block' }])));
    const whole = judgePublication(input(), all);
    expect([...new Set(whole.map(({ gate }) => gate))]).toEqual(BUILT_IN);
    for (const off of BUILT_IN) {
      const others = judgePublication(input(), { ...all, [off]: { ...all[off as 'rows'], action: 'off' } });
      expect(others, off).toEqual(whole.filter(({ gate }) => gate !== off));
    }
  });

  it('say of a partition without a row that it has none, and nothing else', () => {
    const { repeatedContent } = input();
    const empty = input({
      candidate: candidate({ rows: 0 }),
      repeatedContent: { ...repeatedContent, compared: ['yesterday'] },
    });
    expect(judgePublication(empty, settings({}))).toMatchObject([
      { gate: 'rows', verdict: 'block', found: 0 },
    ]);
    expect(judgePublication(empty, settings({ rows: { action: 'off' } }))).toEqual([]);
  });

  it('treat keys that another date has, and what lies beside, as `sameKeys` says: apart from the same rows', () => {
    const span = { shard: 'a.parquet', rows: 5, partition: 'yesterday' };
    const found = input({
      repeatedContent: {
        ...{ compared: ['yesterday'], rows: [span], keys: [span], features: [] },
        ...{ unpublished: ['the day before'], files: [] },
        inputKeys: [{ ...span, partition: 'the day before' }],
        besideRows: [{ ...span, partition: 'an hour before' }],
        besideFiles: [{ ...span, partition: 'a region' }],
      },
    });
    const verdicts = (sameKeys: GateAction, action: GateAction = 'block') =>
      judgePublication(found, settings({ repeatedContent: { action, sameKeys } }))
        .filter(({ gate, verdict }) => gate === 'repeatedContent' && verdict !== 'pass')
        .map(({ subject, verdict, against }) => `${verdict} ${subject} ${against}`);
    const beside = ['keys yesterday', 'inputKeys the day before', 'rows an hour before', 'files a region'];
    expect(verdicts('off')).toEqual(['block rows yesterday']);
    expect(verdicts('warn')).toEqual(['block rows yesterday', ...beside.map((each) => `warn ${each}`)]);
    expect(verdicts('block', 'warn')).toEqual([
      'warn rows yesterday',
      ...beside.map((each) => `block ${each}`),
    ]);
    expect(verdicts('block', 'off')).toEqual([]);
  });
});
