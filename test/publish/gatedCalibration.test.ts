import { describe, expect, it } from 'vitest';
import { gateSettingsSchema } from '../../lib/job/gateSettings.ts';
import type { FunnelRow } from '../fixtures/tinyFunnel.ts';
import { blocks, LIMIT, publishDay, published, put, TODAY, today } from './gatedDays.ts';

describe('calibration, where a job asks for it and labels have arrived', () => {
  const gates = gateSettingsSchema.parse({ calibration: { action: 'block', leastLabels: 100 } });
  /** Blocking verdicts of calibration, and how many there were, of today as it is published by those gates. */
  async function calibrated(rows: readonly FunnelRow[]) {
    const place = await published();
    await put(place, TODAY, 'a.parquet', rows);
    const outcome = await publishDay(place, TODAY, gates, true);
    const verdicts = 'verdicts' in outcome ? outcome.verdicts : [];
    return { outcome, judged: verdicts.filter(({ gate }) => gate === 'calibration') };
  }

  it(
    'lets scores pass that foretell them',
    async () => {
      const { outcome, judged } = await calibrated(today);
      expect(judged.map(({ subject, verdict }) => `${subject} ${verdict}`)).toEqual([
        ...['pctr pass', 'pctr pass', 'pcvr pass', 'pcvr pass'],
      ]);
      expect(outcome.kind).toBe('published');
    },
    LIMIT,
  );

  it(
    'blocks conversions that are the wrong way round, and no other gate sees them',
    async () => {
      const inverted = today.map((row) => ({
        ...row,
        conversion: row.conversion === null ? null : 1 - row.conversion,
      }));
      const { outcome, judged } = await calibrated(inverted);
      expect(outcome.kind).toBe('refused');
      expect(new Set(blocks(outcome))).toEqual(new Set(['calibration pcvr']));
      const auc = judged.find(({ subject, reason }) => subject === 'pcvr' && reason.startsWith('AUC'));
      expect(auc).toMatchObject({ verdict: 'block' });
      expect(auc!.found).toBeLessThan(0.5);
    },
    LIMIT,
  );
});
