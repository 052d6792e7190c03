import { describe, expect, it } from 'vitest';
import { ARMS, settingsOfArm } from '../../lib/comparison/arms.ts';
import { type NcsNetworkConfig, networkConfigSchema } from '../../lib/network/networkConfig.ts';
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
    expect(() => settingsOfArm('esmm', tinyConfig(alternating))).toThrow(
      expect.objectContaining({
        code: 'TRAINING_CONFIG_INVALID',
        message: expect.stringContaining('an arm learns conversions from all impressions'),
      }),
    );
    expect(problemsOf('esmm', { ...alternating, arms: { esmm: { steps: 'joint' } } })).toBe('none');
    const own = { arms: { ncs: { steps: 'alternating', entireSpace: {} } } };
    expect(problemsOf('ncs', own)).toContain('arms.ncs.entireSpace: needs joint steps');
  });
});

describe('the network of an arm', () => {
  const config = networkConfigSchema.parse({
    ...{ kind: 'ncs', embeddingWidth: 3, hidden: [8, 5], privateEmbeddingWidth: 2 },
    cross: { mode: 'upper', fields: ['a', 'b'] },
  }) as NcsNetworkConfig;
  const networkOf = (name: string, own = config) => ARMS[name]!.network?.(own) ?? own;

  it("is the config's own where ncs is taken apart, and without private columns where they would be foreign", () => {
    const armsOf = (kind: unknown) =>
      Object.keys(ARMS).filter((name) => {
        const network = networkOf(name);
        return (network.kind === 'ncs' ? network.privateEmbeddingWidth : network.kind) === kind;
      });
    expect(armsOf(2)).toEqual(['ncs', 'ncs-conflict', 'ncs-entire-space', 'random-masks', 'private-columns']);
    expect(armsOf(0)).toEqual([
      ...[
        'ncs-shared-embeddings',
        'ncs-imp',
        'joint-ticket',
        'shared-bottom',
        'single-task',
        'single-task-ticket',
      ],
    ]);
    expect(armsOf('experts')).toEqual(['shared-bottom-towers', 'mmoe', 'ple', 'esmm', 'separate-mlps']);
  });

  it.each([
    ['shared-bottom-towers', { shared: 1, perTask: 0, hidden: [8], towers: [5] }],
    ['mmoe', { shared: 3, perTask: 0, hidden: [8, 5], towers: [] }],
    ['ple', { shared: 1, perTask: 1, hidden: [8, 5], towers: [] }],
    ['esmm', { shared: 0, perTask: 1, hidden: [8, 5], towers: [] }],
    ['separate-mlps', { shared: 0, perTask: 1, hidden: [8, 5], towers: [] }],
  ])("of experts has the config's widths and cross terms: %s", (name, experts) => {
    const { embeddingWidth, cross } = config;
    expect(networkOf(name)).toEqual({
      kind: 'experts',
      embeddingWidth,
      cross,
      embeddings: 'shared',
      ...experts,
    });
  });

  it('with towers on a trunk of one layer has that layer once more', () => {
    const towersOn = (hidden: number[]) => networkOf('shared-bottom-towers', { ...config, hidden });
    expect(towersOn([8])).toMatchObject({ hidden: [8], towers: [8] });
    expect(towersOn([8, 6, 4])).toMatchObject({ hidden: [8, 6], towers: [4] });
  });
});

describe('the masks of an arm', () => {
  it('come from where its description says', () => {
    const sources = Object.entries(ARMS).map(([name, { masks, separately }]) => [
      name,
      masks?.kind ?? separately,
    ]);
    expect(Object.fromEntries(sources.filter(([, source]) => source !== undefined))).toEqual({
      ...{ ncs: 'learned', 'ncs-shared-embeddings': 'learned', 'ncs-conflict': 'learned' },
      ...{ 'ncs-entire-space': 'learned', 'ncs-imp': 'imp', 'random-masks': 'random' },
      ...{ 'joint-ticket': 'jointTicket', 'single-task': 'dense', 'single-task-ticket': 'ownTicket' },
    });
    // Only where gradients point against each other by more than noise.
    expect(ARMS['ncs-conflict']!.masks).toEqual({ kind: 'learned', over: { conflictCosine: -0.1 } });
  });

  it('belong to an arm that says in a sentence what it is', () => {
    for (const [name, { description }] of Object.entries(ARMS))
      expect(description, name).toMatch(/^[A-Z].{10,}\.$/);
  });
});
