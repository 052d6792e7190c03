import { describe, expect, it } from 'vitest';
import { settingsOfArm } from '../../lib/comparison/arms.ts';
import { type ConfigDocument, tinyConfig } from '../fixtures/tinyModel.ts';

const problemsOf = (name: string, over: ConfigDocument) => {
  try {
    settingsOfArm(name, tinyConfig(over));
  } catch (error) {
    return String(error);
  }
  return 'none';
};

describe('the settings of an arm', () => {
  it("are the config's, with the arm's own over them", () => {
    const config = tinyConfig({ arms: { mmoe: { trunk: { gain: 0.5 } } } });
    expect(settingsOfArm('ple', config)).toEqual(config.training);
    const { trunk } = config.training;
    expect(settingsOfArm('mmoe', config)).toEqual({ ...config.training, trunk: { ...trunk, gain: 0.5 } });
  });

  it('add the CTCVR term to the conversion loss, which ESMM drops for it', () => {
    const config = tinyConfig({ training: { taskWeights: { click: 2, conversion: 3 } } });
    const entire = settingsOfArm('ncs-entire-space', config);
    expect(entire.taskWeights).toEqual({ click: 2, conversion: 3 });
    expect(entire.entireSpace).toEqual({ maxPropensityWeight: 15, ctcvrWeight: 1 });
    const esmm = settingsOfArm('esmm', config);
    expect(esmm.taskWeights).toEqual({ click: 2, conversion: 0 });
    expect(esmm.entireSpace).toEqual({ maxPropensityWeight: 1, ctcvrWeight: 1 });
  });

  it('are refused where a loss of both tasks would meet alternating steps', () => {
    const alternating = { training: { steps: 'alternating' } };
    expect(problemsOf('ncs', alternating)).toBe('none');
    expect(problemsOf('esmm', alternating)).toContain('arms.esmm.steps: needs joint steps');
    expect(problemsOf('esmm', { ...alternating, arms: { esmm: { steps: 'joint' } } })).toBe('none');
    const own = { arms: { ncs: { steps: 'alternating', entireSpace: {} } } };
    expect(problemsOf('ncs', own)).toContain('arms.ncs.entireSpace: needs joint steps');
  });
});
