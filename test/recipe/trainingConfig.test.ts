import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ProblemsError } from '../../lib/base/errors.ts';
import { parseTrainingConfig } from '../../lib/recipe/trainingConfig.ts';
import { type ConfigDocument, TINY_CONFIG, tinyConfig } from '../fixtures/tinyModel.ts';

/** The smallest document: contract, labels and split. */
const { contract, labels, split } = TINY_CONFIG;
const SMALLEST: ConfigDocument = { contract, labels, split };

const parse = (over: ConfigDocument = {}) => parseTrainingConfig({ ...SMALLEST, ...over }, 'test.json');

function problemsOf(document: unknown): readonly string[] {
  try {
    parseTrainingConfig(document, 'test.json');
  } catch (error) {
    expect(error).toBeInstanceOf(ProblemsError);
    expect(error).toMatchObject({ code: 'TRAINING_CONFIG_INVALID', location: { file: 'test.json' } });
    return (error as ProblemsError).problems;
  }
  return expect.unreachable('the config is invalid');
}

describe('defaults', () => {
  it('are a 256-128-64 network, cross-entropy, equal tasks, Adagrad embeddings and one epoch', () => {
    const { network, training, preset } = parse();
    expect(preset).toBe('default');
    expect(network).toEqual({
      kind: 'ncs',
      embeddingWidth: 16,
      privateEmbeddingWidth: 0,
      cross: { mode: 'full' },
      hidden: [256, 128, 64],
    });
    expect(training).toMatchObject({
      epochs: 1,
      losses: { click: { kind: 'bce' }, conversion: { kind: 'bce' } },
      taskWeights: { click: 1, conversion: 1 },
      embeddings: { optimiser: 'adagrad', initialStandardDeviation: 0.01, reinitialiseEachEpoch: false },
    });
  });
});

describe('the preset paper', () => {
  it('fills in network, losses, task weights, optimiser and batch of the authors', () => {
    const { network, training } = parse({ preset: 'paper' });
    expect(network).toEqual({
      kind: 'ncs',
      embeddingWidth: 16,
      privateEmbeddingWidth: 0,
      cross: { mode: 'full' },
      hidden: [512, 256, 128],
    });
    expect(training).toMatchObject({
      batchRows: 32,
      embeddings: { optimiser: 'adam', learningRate: 1e-4 },
      trunk: { learningRate: 1e-4, initialisation: 'xavier_normal' },
      losses: { click: { kind: 'focal', alpha: 0.75, gamma: 2 }, conversion: { kind: 'maskedMse' } },
      taskWeights: { click: 1, conversion: 1.5 },
    });
  });

  it("lets the config's own keys go over it and keeps the rest", () => {
    const { network, training } = parse({
      preset: 'paper',
      network: { kind: 'ncs', embeddingWidth: 8 },
      training: {
        batchRows: 4096,
        losses: { click: { kind: 'focal', alpha: 0.5 }, conversion: { kind: 'bce' } },
        taskWeights: { conversion: 3 },
      },
    });
    expect(network).toMatchObject({ embeddingWidth: 8, hidden: [512, 256, 128] });
    expect(training).toMatchObject({
      batchRows: 4096,
      embeddings: { optimiser: 'adam' },
      losses: { click: { kind: 'focal', alpha: 0.5, gamma: 2 }, conversion: { kind: 'bce' } },
      taskWeights: { click: 1, conversion: 3 },
    });
  });

  it('goes together with another network', () => {
    expect(parse({ preset: 'paper', network: 'default' }).network).toMatchObject({ hidden: [256, 128, 64] });
    expect(parse({ preset: 'paper', network: { kind: 'logistic' } }).network).toEqual({
      kind: 'logistic',
      learningRate: 0.05,
    });
  });
});

describe('the logistic arm', () => {
  it('uses Adagrad with its own learning rate and keeps its weights, whatever the embeddings are set to', () => {
    const embeddings = { optimiser: 'adam', learningRate: 0.3, reinitialiseEachEpoch: true };
    const { training } = parse({
      network: { kind: 'logistic', learningRate: 0.2 },
      training: { epochs: 3, embeddings },
    });
    expect(training).toMatchObject({
      epochs: 3,
      embeddings: { optimiser: 'adagrad', learningRate: 0.2, reinitialiseEachEpoch: false },
    });
    expect(parse({ network: 'logistic' }).training.embeddings.learningRate).toBe(0.05);
  });
});

describe('a mask search', () => {
  it.each([
    ['imp', 'rounds', [1, 30], [0, 31, 1.5]],
    ['imp', 'finalDensity', [0.001, 1], [0, 1.001]],
    ['imp', 'epochs', [1, 2], [0, 1.5]],
    [
      'learned',
      'density',
      [0.001, 1, { click: 0.001, conversion: 1 }],
      [0, 1.001, { click: 0, conversion: 1 }],
    ],
    ['learned', 'estimator', ['topD', 'hardConcrete'], ['', 'straightThrough']],
    ['learned', 'sharing', [0, 1], [-0.001, 1.001]],
    ['learned', 'epochs', [1, 2], [0, 1.5]],
    ['learned', 'annealing', [0.001, 1], [0, 1.001]],
    ['learned', 'conflictCosine', [-1, 0], [-1.001, 0.001]],
  ] as const)('%s takes %s up to its limits and refuses what is past them', (method, key, good, bad) => {
    for (const value of good)
      expect(parse({ masks: { method, [key]: value } }).masks).toMatchObject({ [key]: value });
    for (const value of bad) {
      const problems = problemsOf({ ...SMALLEST, masks: { method, [key]: value } });
      expect(problems.join(), `${key}: ${JSON.stringify(value)}`).toContain(`masks.${key}`);
    }
  });
});

describe('problems', () => {
  it("are reported all at once, the contract's cross references among them", () => {
    const problems = problemsOf({
      ...SMALLEST,
      contract: {
        ...(contract as ConfigDocument),
        rowKeys: ['request', 'request'],
        features: [{ kind: 'categorical', column: 'user_id', table: 'nowhere' }],
        extra: 1,
      },
      labels: { click: 'click' },
      training: { epochs: 0, batchRows: 'many', lr: 1 },
      nonsense: true,
    });
    for (const part of [
      'contract.rowKeys',
      "no table 'nowhere'",
      '"extra"',
      'labels.conversion',
      'training.epochs',
      'training.batchRows',
      '"lr"',
      '"nonsense"',
    ]) {
      expect(
        problems.filter((problem) => problem.includes(part)),
        part,
      ).toHaveLength(1);
    }
  });

  it.each([
    ['training.trunk', { training: { trunk: { learning_rate: 1 } } }],
    ['training.embeddings', { training: { embeddings: { rate: 1 } } }],
    ['training.losses.click', { training: { losses: { click: { kind: 'focal', beta: 1 } } } }],
    ['network', { network: { kind: 'ncs', layers: [1] } }],
    ['network.cross', { network: { kind: 'ncs', cross: { modes: 'full' } } }],
    ['split', { split: { ...(split as ConfigDocument), test: {} } }],
    ['labels', { labels: { ...(labels as ConfigDocument), weight: 'w' } }],
    ['preset', { preset: 'papers' }],
    ['network', { network: 'wide' }],
    ['network.hidden', { network: { kind: 'ncs', hidden: 'wide' } }],
    ['split.validation', { split: { by: 'fraction', validation: 1 } }],
    [
      'split.train.from',
      { split: { ...(split as ConfigDocument), train: { from: '1.3.', to: '2024-03-02' } } },
    ],
    ['split.partitions', { split: { ...(split as ConfigDocument), partitions: 'dt' } }],
    ['split.partitions: expected keys', { split: { ...(split as ConfigDocument), partitions: 'region=*' } }],
    ['training.seed', { training: { seed: 1.5 } }],
  ])('unknown keys and bad values are errors at their place: %s', (path, over: ConfigDocument) => {
    expect(problemsOf({ ...SMALLEST, ...over }).join('\n')).toContain(path);
  });

  it('that would show after hours only are found at once: days used twice or backwards, crossed fields without embeddings or listed twice, nothing to embed', () => {
    const days = (from: string, to: string) => ({ from: `2024-03-${from}`, to: `2024-03-${to}` });
    const by = 'date';
    expect(
      problemsOf({ ...SMALLEST, split: { by, train: days('01', '05'), validation: days('05', '06') } }),
    ).toEqual(['split: train and validation share days']);
    expect(
      problemsOf({ ...SMALLEST, split: { by, train: days('04', '02'), validation: days('05', '06') } }),
    ).toEqual(['split.train: from 2024-03-04 is after to 2024-03-02']);
    const network = { kind: 'ncs', cross: { fields: ['user_id', 'log_price', 'nobody'] } };
    expect(problemsOf({ ...SMALLEST, network })).toEqual([
      "network.cross.fields: no field 'log_price' with embeddings",
      "network.cross.fields: no field 'nobody' with embeddings",
    ]);
    const twice = { kind: 'ncs', cross: { fields: ['user_id', 'hour', 'user_id'] } };
    expect(problemsOf({ ...SMALLEST, network: twice })).toEqual([
      "network.cross.fields: 'user_id' is listed twice",
    ]);
    expect(problemsOf({ ...SMALLEST, slices: ['hour', 'tags', 'nobody', 'hour'] })).toEqual([
      "slices: no categorical or bucketed feature 'tags'",
      "slices: no categorical or bucketed feature 'nobody'",
      "slices: 'hour' is listed twice",
    ]);
    const numbers = {
      contractVersion: 1,
      rowKeys: ['request'],
      features: [{ kind: 'numeric', column: 'age' }],
    };
    const crossed = { kind: 'ncs', cross: { fields: ['age', 'price'] } };
    expect(problemsOf({ ...SMALLEST, contract: numbers, network: crossed })).toEqual([
      "network.cross.fields: no field 'age' with embeddings",
      "network.cross.fields: no field 'price' with embeddings",
    ]);
  });

  it.each([
    ['allowLeak', { allowLeak: ['hour', 'nobody'] }, "allowLeak: no feature 'nobody'"],
    [
      'a wait for conversions',
      {
        labels: { ...(labels as ConfigDocument), matureAfter: '2d' },
        split: { by: 'fraction', validation: 0.5 },
      },
      'labels.matureAfter: needs a split by date, whose folders say how old a row is',
    ],
  ])('of %s that could do nothing are named', (_title, over, problem) => {
    expect(problemsOf({ ...SMALLEST, ...over })).toEqual([problem]);
  });

  it.each([[null], [[]], ['text'], [7]])('%j is no config', (document) => {
    expect(problemsOf(document)).not.toHaveLength(0);
    expect(problemsOf({ ...SMALLEST, contract: document })).not.toHaveLength(0);
  });
});

describe('the order of time', () => {
  const on = (day: number) => ({ from: `2024-03-0${day}`, to: `2024-03-0${day}` });
  const splitOf = (train: number, validation: number, report?: number) => ({
    by: 'date',
    train: on(train),
    validation: on(validation),
    ...(report === undefined ? {} : { report: on(report) }),
  });

  it.each([
    ['validation before training', splitOf(3, 2), 'split.validation to begin after split.train ends'],
    ['report before training', splitOf(3, 4, 1), 'split.report to begin after split.validation ends'],
    ['report before validation', splitOf(1, 3, 2), 'split.report to begin after split.validation ends'],
  ])('is asked of the days of a split: %s is refused', (_title, split, expected) => {
    expect(() => parse({ split })).toThrow(
      expect.objectContaining({
        code: 'TRAINING_SPLIT_ORDER',
        location: { file: 'test.json' },
        expected: expect.stringContaining(expected) as string,
      }),
    );
  });

  it('is kept by days that follow each other, with days between them or without', () => {
    expect(() => parse({ split: splitOf(1, 2, 3) })).not.toThrow();
    expect(() => parse({ split: splitOf(1, 5, 9) })).not.toThrow();
  });
});

describe('a feature that reads the column of a label', () => {
  const { features } = contract as { features: object[] };
  const withFeature = (feature: object, over: ConfigDocument = {}) =>
    parse({ contract: { ...(contract as ConfigDocument), features: [...features, feature] }, ...over });

  it.each([
    ['click', { kind: 'numeric', column: 'click' }, /feature 'click' is the label of clicks/],
    [
      'conversion, under another name',
      { kind: 'bucketed', name: 'bought', column: 'conversion', buckets: 3 },
      /feature 'bought' is the label of conversions: it reads the column 'conversion'/,
    ],
  ])('is refused before any data is read, unless it is allowed by name: %s', (_title, feature, message) => {
    expect(() => withFeature(feature)).toThrow(
      expect.objectContaining({
        code: 'TRAINING_LEAK',
        location: { file: 'test.json' },
        message: expect.stringMatching(message) as string,
      }),
    );
    const name = 'name' in feature ? feature.name : feature.column;
    expect(withFeature(feature, { allowLeak: [name] }).allowLeak).toEqual([name]);
    expect(() => withFeature(feature, { allowLeak: ['hour'] })).toThrow(/TRAINING_LEAK/);
  });
});

it('parsing what was parsed changes nothing', () => {
  const config = tinyConfig({ preset: 'paper', network: 'logistic' });
  expect(parseTrainingConfig(structuredClone(config), 'again')).toEqual(config);
});

const examples = new URL('../../examples/', import.meta.url);
it.each(readdirSync(examples).filter((name) => name.endsWith('.json')))('examples/%s is valid', (name) => {
  const document: unknown = JSON.parse(readFileSync(fileURLToPath(new URL(name, examples)), 'utf8'));
  expect(() => parseTrainingConfig(document, name)).not.toThrow();
});
