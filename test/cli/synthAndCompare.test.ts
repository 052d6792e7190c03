import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { callMain } from './callMain.ts';

const folder = temporaryFolder();
const data = join(folder, 'funnel');

it('synth writes a funnel that compare takes with the config it comes with', async () => {
  const knobs = ['--days', '3', '--rows-per-day', '600', '--conflict', 'high', '--seed', '3'];
  const synth = await callMain('synth', '--output', data, ...knobs, '--json');
  expect(synth).toMatchObject({ exitCode: 0, stderr: '' });
  const drawn = JSON.parse(synth.stdout) as { rows: number; options: object };
  expect(drawn).toMatchObject({ rows: 1800, options: { featureRelatedness: 0, seed: 3 } });

  const output = join(folder, 'comparison');
  const args = ['--data', data, '--output', output, '--seeds', '1', '--arms', 'shared-bottom'];
  const compare = await callMain('compare', join(data, 'config.json'), ...args);
  expect(compare.exitCode, compare.stderr).toBe(0);
  expect(compare.stdout).toMatch(/^ncs +0\.\d{4} .*\nshared-bottom +0\.\d{4} /m);
  expect(compare.stderr).toContain('2/2');
  const { arms, paired } = JSON.parse(readFileSync(join(output, 'comparison.json'), 'utf8')) as {
    arms: object;
    paired: object;
  };
  expect(Object.keys(arms)).toEqual(['ncs', 'shared-bottom']);
  expect(Object.keys(paired)).toEqual(['shared-bottom']);
  expect(existsSync(join(output, 'report.html'))).toBe(true);
  // Nothing is trained again.
  const again = await callMain('compare', join(data, 'config.json'), ...args, '--json');
  expect(JSON.parse(again.stdout)).toMatchObject({ arms, paired });

  const train = ['train', join(data, 'config.json'), '--data', data, '--output', join(folder, 'bundle')];
  const potential = await callMain(...train, '--conversion', 'potential_conversion', '--json');
  expect(potential.exitCode, potential.stderr).toBe(0);
}, 60_000);

it('synth and compare say what is wrong with their options', async () => {
  const refused = await callMain('synth', '--output', data);
  expect(refused).toMatchObject({ exitCode: 1 });
  expect(refused.stderr).toContain('STORAGE_NOT_EMPTY');
  const text = await callMain('synth', '--output', join(folder, 'x'), '--days', 'many');
  expect(text).toMatchObject({ exitCode: 2 });
  expect(text.stderr).toContain('expected a number');
  const range = await callMain('synth', '--output', join(folder, 'x'), '--click-rate', '2');
  expect(range).toMatchObject({ exitCode: 2 });
  expect(range.stderr).toContain('clickRate');
  const seeds = await callMain('compare', 'x.json', '--data', data, '--output', folder, '--seeds', '0');
  expect(seeds).toMatchObject({ exitCode: 2 });
}, 30_000);
