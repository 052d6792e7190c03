import { describe, expect, test } from 'vitest';
import type { Round } from '../../bench/job/benchArms.ts';
import type { ArmResult } from '../../bench/job/benchCase.ts';
import { caseRatios, flatnessOf } from '../../bench/job/caseRatios.ts';

/** Rounds of [CPU seconds, wall seconds], with memory if given. */
function arm(
  name: string,
  threads: number,
  rounds: readonly (readonly [number, number])[],
  peakBytes?: number,
): ArmResult {
  const memory = peakBytes === undefined ? {} : { peakBytes };
  return {
    name,
    threads,
    rounds: rounds.map(([cpuSeconds, wallSeconds]): Round => ({ cpuSeconds, wallSeconds, ...memory })),
  };
}

describe('caseRatios', () => {
  test('takes ratios within a round: a machine that is half as fast in one round changes none', () => {
    const arms = [
      arm('ncs4cvr', 1, [
        [10, 10],
        [20, 20],
        [10, 10],
      ]),
      arm('bare session', 1, [
        [8, 8],
        [16, 16],
        [8, 8],
      ]),
      arm('ncs4cvr', 2, [
        [12, 6.25],
        [24, 12.5],
        [12, 6.25],
      ]),
      arm('bare session', 2, [
        [9, 4],
        [18, 8],
        [9, 4],
      ]),
    ];
    expect(caseRatios(arms)).toEqual([
      { model: 'float32', threads: 1, efficiency: 0.8 },
      { model: 'float32', threads: 2, efficiency: 0.75, gain: { ours: 1.6, bare: 2, ratio: 0.8 } },
    ]);
  });

  test('compares with sessions of the whole network as well, each model with its own', () => {
    const arms = [
      arm('ncs4cvr', 1, [[10, 10]]),
      arm('bare session', 1, [[5, 5]]),
      arm('bare session, whole graph', 1, [[12, 12]]),
      arm('ncs4cvr int8', 1, [[8, 8]]),
      arm('bare session int8', 1, [[2, 2]]),
      arm('bare session, whole graph int8', 1, [[10, 10]]),
    ];
    expect(caseRatios(arms)).toEqual([
      { model: 'float32', threads: 1, efficiency: 0.5, wholeEfficiency: 1.2 },
      { model: 'int8', threads: 1, efficiency: 0.25, wholeEfficiency: 1.25 },
    ]);
  });

  test("compares the int8 command with its own model's session, and float32 with float32's", () => {
    const arms = [
      arm('ncs4cvr', 1, [[10, 10]]),
      arm('bare session', 1, [[5, 5]]),
      arm('ncs4cvr int8', 1, [[8, 8]]),
      arm('bare session int8', 1, [[2, 2]]),
    ];
    expect(caseRatios(arms)).toEqual([
      { model: 'float32', threads: 1, efficiency: 0.5 },
      { model: 'int8', threads: 1, efficiency: 0.25 },
    ]);
  });

  test('tells no gain of two workers when one worker was not measured', () => {
    const arms = [arm('ncs4cvr', 2, [[10, 5]]), arm('bare session', 2, [[9, 4]])];
    expect(caseRatios(arms)).toEqual([{ model: 'float32', threads: 2, efficiency: 0.9 }]);
  });
});

describe('flatnessOf', () => {
  /** A start of 2 seconds; 1 microsecond per row, of which the sessions are .8. */
  const caseOf = (rows: number, peakBytes: number) => ({
    rows,
    arms: [
      arm('ncs4cvr', 1, [[2 + rows / 1e6, 2 + rows / 1e6]], peakBytes),
      arm('bare session', 1, [[(0.8 * rows) / 1e6, (0.8 * rows) / 1e6]]),
      arm('ncs4cvr', 2, [[2 + rows / 1e6, 2 + rows / 2e6]], peakBytes),
      arm('bare session', 2, [[(0.8 * rows) / 1e6, (0.4 * rows) / 1e6]]),
    ],
  });
  const flatness = flatnessOf([caseOf(1e6, 100), caseOf(8e6, 110)]);

  test('counts CPU time per row and memory over those of the fewest rows', () => {
    const more = flatness.rows.find(({ threads, rows }) => threads === 1 && rows === 8e6)!;
    expect(more).toMatchObject({ arm: 'ncs4cvr', cpuSecondsPerMillion: 1.25, peakBytes: 110 });
    expect(more.cpuRatio).toBeCloseTo(1.25 / 3, 12);
    expect(more.peakRatio).toBeCloseTo(1.1, 12);
  });

  test('leaves a start that is paid once out of the ratios of further rows', () => {
    const [{ rows, ratios }] = flatness.further as [(typeof flatness.further)[number]];
    expect(rows).toBe(8e6);
    expect(ratios.map(({ threads }) => threads)).toEqual([1, 2]);
    for (const { efficiency } of ratios) expect(efficiency).toBeCloseTo(0.8, 12);
    expect(ratios[1]!.gain!.ours).toBeCloseTo(2, 12);
    expect(ratios[1]!.gain!.ratio).toBeCloseTo(1, 12);
  });

  test('has no memory to tell of a bare session', () => {
    expect(new Set(flatness.rows.map(({ arm }) => arm))).toEqual(new Set(['ncs4cvr']));
  });
});
