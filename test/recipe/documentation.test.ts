import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { maskSearchDefaults } from '../../lib/masks/maskSearchConfig.ts';
import { parseTrainingConfig } from '../../lib/recipe/trainingConfig.ts';
import { TINY_CONFIG } from '../fixtures/tinyModel.ts';

const markdown = readFileSync(new URL('../../docs/training.md', import.meta.url), 'utf8');
const { contract, labels, split } = TINY_CONFIG;

it("docs/training.md shows the mask searches', the entire space's and the logistic arm's defaults", () => {
  const shown = [...markdown.matchAll(/"masks": (\{[^}]*\})/g)].map(
    ([, text]) => JSON.parse(text!) as unknown,
  );
  expect(shown).toEqual([maskSearchDefaults.learned, maskSearchDefaults.imp]);
  const entireSpace = /\{"maxPropensityWeight"[^}]*\}/.exec(markdown)?.[0] ?? '';
  const training = { entireSpace: {} };
  const filled = parseTrainingConfig({ contract, labels, split, training }, 'test.json').training;
  expect(JSON.parse(entireSpace)).toEqual(filled.entireSpace);
  const logistic = /\{"kind": "logistic"[^}]*\}/.exec(markdown)?.[0] ?? '';
  const { network } = parseTrainingConfig({ contract, labels, split, network: 'logistic' }, 'test.json');
  expect(JSON.parse(logistic)).toEqual(network);
});
