import { describe, expect, it } from 'vitest';
import { crossCheckSettings, trainingSettingsSchema } from '../../lib/training/trainingSettings.ts';

const problemsOf = (settings: Record<string, unknown>): string[] =>
  crossCheckSettings(trainingSettingsSchema.parse(settings));

describe('training settings', () => {
  it.each(['click', 'conversion'])('refuse to leave the %ss out: nothing would ever teach them', (task) => {
    const taskWeights = { [task]: 0 };
    const [problem, ...others] = problemsOf({ taskWeights });
    expect(problem).toContain(`taskWeights.${task}: `);
    expect(others).toEqual([]);
    expect(problemsOf({ taskWeights, entireSpace: { ctcvrWeight: 0 } })).toHaveLength(1);
    expect(problemsOf({ taskWeights, entireSpace: { ctcvrWeight: 0.1 } })).toEqual([]);
    expect(problemsOf({ taskWeights: { [task]: 1e-6 } })).toEqual([]);
  });

  it('take an entire space with joint steps only', () => {
    const entireSpace = {};
    expect(problemsOf({ entireSpace })).toEqual([]);
    expect(problemsOf({ entireSpace, steps: 'alternating' })).toEqual([
      'entireSpace: needs joint steps, since its loss belongs to both tasks',
    ]);
  });
});
