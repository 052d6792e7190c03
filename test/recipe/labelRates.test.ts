import { describe, expect, it } from 'vitest';
import { UNKNOWN_CLICK } from '../../lib/base/tasks.ts';
import { labelRates } from '../../lib/recipe/labelRates.ts';

const rates = (click: number[], conversion: number[]) =>
  labelRates(
    { click: Uint8Array.from(click), conversion: Float32Array.from(conversion) },
    'validation',
    's3://a',
  );
const { NaN: unknown } = Number;

describe('the rates of labels', () => {
  it('are means over the rows whose label is known: clicked ones of a conversion', () => {
    const { click, conversion } = rates([1, 1, 0, UNKNOWN_CLICK, 1], [0.25, 0.75, 1, 1, unknown]);
    expect([click, conversion]).toEqual([0.75, 0.5]);
  });

  it('are refused where the conversions of all clicks are one share: nothing could be ranked by them', () => {
    expect(() => rates([1, 0, 1, 1], [0.5, 1, 0.5, unknown])).toThrow(
      expect.objectContaining({
        code: 'TRAINING_LABELS_EQUAL',
        location: expect.objectContaining({ file: 's3://a' }) as unknown,
        message: expect.stringContaining(
          'every known conversion of the validation rows is the same',
        ) as string,
        found: '1 conversions in 2 clicked rows with a known label',
      }),
    );
    expect(rates([1, 0, 1], [0.5, 1, 0.25]).conversion).toBe(0.375);
  });
});
