import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { maskSearchDefaults } from '../../lib/masks/maskSearchConfig.ts';
import { parseTrainingConfig } from '../../lib/recipe/trainingConfig.ts';
import { TINY_CONFIG } from '../fixtures/tinyModel.ts';

const markdown = readFileSync(new URL('../../docs/training.md', import.meta.url), 'utf8');
const { contract, labels, split } = TINY_CONFIG;
const smallest = parseTrainingConfig({ contract, labels, split, masks: { method: 'imp' } }, 'test.json');

/** Key and default of every row of the table under `header`. */
function table(header: string): Map<string, string> {
  const lines = markdown.slice(markdown.indexOf(`| ${header} | default | meaning |`)).split('\n');
  const rows = lines.slice(2, lines.indexOf(''));
  return new Map(
    rows.map((row) => {
      const [, key = '', value = ''] = row.split('|').map((cell) => cell.trim().replaceAll('`', ''));
      return [key, value];
    }),
  );
}

/** Leaves of an object by their path; a loss, told by its kind, is one. */
function leaves(value: object, prefix = ''): [string, unknown][] {
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]): [string, unknown][] =>
    typeof inner === 'object' && inner !== null && !('kind' in inner)
      ? leaves(inner, `${prefix}${key}.`)
      : [[`${prefix}${key}`, inner]],
  );
}

it('docs/training.md lists every key of `training`, with the default that the schema gives', () => {
  const documented = [...table('`training.`')].map(([key, value]) => [key, JSON.parse(value) as unknown]);
  expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(leaves(smallest.training)));
});

it('docs/training.md lists every other key of the config', () => {
  const documented = [...table('key').keys()].map((key) => key.split('.')[0]!);
  const { training: _training, ...others } = smallest;
  expect([...new Set(documented)].sort()).toEqual(
    [...Object.keys(others), 'modelVersion', 'arms', 'allowLeak'].sort(),
  );
});

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
