import { beforeAll, describe, expect, it } from 'vitest';
import { packagedTemplate, type Resources } from '../support/cloudFormation/packagedTemplate.ts';
import { resolveTemplate } from '../support/cloudFormation/resolveTemplate.ts';
import { alarms } from './checks/alarms.ts';
import { functions, retention } from './checks/functions.ts';
import { privacy } from './checks/privacy.ts';
import { queues } from './checks/queues.ts';
import type { Check } from './checks/resources.ts';
import { operators, roles } from './checks/roles.ts';
import { type CodeCalls, functionCalls, operatorCalls } from './codeCalls.ts';
import { MUTATIONS, type Mutation } from './mutations.ts';

// A check that finds nothing wrong with the template might find nothing wrong with any: here each is given templates with one
// property spoilt, and must say so.
let calls: Readonly<Record<string, CodeCalls>>;
let ofOperators: CodeCalls;
beforeAll(() => {
  calls = functionCalls();
  ofOperators = operatorCalls();
}, 120_000);

const CHECKS: Readonly<Record<keyof typeof MUTATIONS, Check>> = {
  privacy,
  roles: (resources) => roles(resources, calls),
  operators: (resources) => operators(resources, ofOperators),
  queues,
  alarms: (resources) => alarms(resources, calls),
  functions,
  retention,
};

function mutated([path, value]: Mutation): Resources {
  const template = structuredClone(packagedTemplate('prod'));
  const keys = path.split('/');
  const last = keys.pop()!;
  const holder = keys.reduce<Record<string, unknown>>((at, key) => {
    if (typeof at[key] !== 'object') throw new Error(`${path}: nothing at ${key}`);
    return at[key] as Record<string, unknown>;
  }, template);
  if (last === '+') (holder as unknown as unknown[]).push(value);
  else if (value === undefined) {
    if (!(last in holder)) throw new Error(`${path}: nothing to take away`);
    delete holder[last];
  } else holder[last] = value;
  return resolveTemplate(template);
}

describe.each(Object.entries(CHECKS))('the check of %s', (name, check) => {
  it('passes what is deployed', () => {
    expect(check(resolveTemplate(packagedTemplate('prod')))).toEqual([]);
  });

  it.each([...MUTATIONS[name as keyof typeof MUTATIONS]])('finds %s = %j', (path, value, found) => {
    expect(check(mutated([path, value]))).toContain(found);
  });
});

it('a name that nothing has is refused before any check', () => {
  expect(() => mutated(['RunFailedAlarm/Properties/AlarmActions', [{ Ref: 'Gone' }]])).toThrow(
    'the template has no Gone',
  );
  expect(() => mutated(['ScoringRun/Properties/DefinitionSubstitutions/PlanFunctionArn', undefined])).toThrow(
    `the definition's \${PlanFunctionArn} has no substitution`,
  );
});
