import { expect, it } from 'vitest';
import {
  packagedTemplate,
  type Resource,
  resolvedSources,
} from '../support/cloudFormation/packagedTemplate.ts';

// CloudFormation takes no null, and the packager drops a property that is null without a word. In Amazon States Language
// that changes what a state means: `"ResultPath": null` keeps a state's input, no ResultPath replaces it.
const STAGES = ['dev', 'prod'];

it.each(STAGES)('every resource is packaged as its source says (%s)', (stage) => {
  const packaged = packagedTemplate(stage);
  const written = resolvedSources(stage).resources.Resources;
  expect(Object.keys(written).length).toBeGreaterThan(30);
  for (const [name, resource] of Object.entries(written)) {
    expect(packaged[name], name).toStrictEqual(resource);
  }
});

it.each(STAGES)('no value of the sources is null (%s)', (stage) => {
  const { resources, functions } = resolvedSources(stage);
  expect(nullsIn({ resources, functions })).toEqual([]);
  const spoilt: Resource = { Type: 'x', Properties: { States: [{ ResultPath: null }] } };
  expect(nullsIn(spoilt)).toEqual(['/Properties/States/0/ResultPath']);
});

function nullsIn(value: unknown, path = ''): string[] {
  if (value === null) return [path];
  if (typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, each]) => nullsIn(each, `${path}/${key}`));
}
