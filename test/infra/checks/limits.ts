import type { Resources } from '../../support/cloudFormation/packagedTemplate.ts';
import { type LambdaFunction, ofType } from './resources.ts';
import { allowances, type Role } from './roles.ts';

/** Characters that AWS takes of a name or a text that the template gives. */
const LONGEST: readonly (readonly [type: string, property: string, characters: number])[] = [
  ['AWS::Lambda::Function', 'FunctionName', 64],
  ['AWS::Events::Rule', 'Name', 64],
  ['AWS::CloudWatch::Dashboard', 'DashboardName', 255],
  ['AWS::Logs::LogGroup', 'LogGroupName', 512],
  ['AWS::CloudWatch::Alarm', 'AlarmDescription', 1024],
  ['AWS::Scheduler::Schedule', 'Description', 512],
  ['AWS::Events::Rule', 'Description', 512],
  ['AWS::IAM::Role', 'Description', 1000],
  ['AWS::IAM::ManagedPolicy', 'Description', 1000],
];
/** Of a policy of its own, and of all those that are written into one role; without what is blank between words. */
const MANAGED_POLICY = 6_144;
const ROLE_POLICIES = 10_240;
/** Of all environment variables of a function, names too. */
const ENVIRONMENT_BYTES = 4_096;
/** Of names that CloudFormation makes, by the service's own limit: ARNs in policies have them. */
const LONGEST_MADE: Readonly<Record<string, number>> = {
  'AWS::S3::Bucket': 63,
  'AWS::SQS::Queue': 80,
  'AWS::StepFunctions::StateMachine': 80,
};

/** Nothing is longer than AWS takes it, whatever names CloudFormation makes: a deployment would fail half way. */
export function limits(resources: Resources): string[] {
  return [...nameProblems(resources), ...policyProblems(resources), ...environmentProblems(resources)];
}

function nameProblems(resources: Resources): string[] {
  return LONGEST.flatMap(([type, property, longest]) =>
    ofType<Record<string, string>>(resources, type).flatMap(([name, properties]) =>
      tooLong(`${name}: ${property}`, (properties[property] ?? '').length, longest),
    ),
  );
}

function policyProblems(resources: Resources): string[] {
  const lengthOf = (document: unknown) => withMadeNames(JSON.stringify(document), resources).length;
  return [
    ...ofType<{ PolicyDocument: object }>(resources, 'AWS::IAM::ManagedPolicy').flatMap(
      ([name, { PolicyDocument }]) =>
        tooLong(`${name}: the policy`, lengthOf(PolicyDocument), MANAGED_POLICY),
    ),
    ...ofType<Role>(resources, 'AWS::IAM::Role').flatMap(([name, role]) =>
      tooLong(`${name}: the sum of its policies`, lengthOf(allowances(name, role, resources)), ROLE_POLICIES),
    ),
  ];
}

function environmentProblems(resources: Resources): string[] {
  return ofType<LambdaFunction>(resources, 'AWS::Lambda::Function').flatMap(([name, { Environment }]) =>
    tooLong(
      `${name}: the environment`,
      Buffer.byteLength(withMadeNames(JSON.stringify(Environment?.Variables ?? {}), resources)),
      ENVIRONMENT_BYTES,
    ),
  );
}

/** A resolved text has a resource's logical name where the one that CloudFormation makes will be. */
function withMadeNames(text: string, resources: Resources): string {
  return Object.entries(resources).reduce(
    (so, [name, { Type }]) =>
      Type in LONGEST_MADE ? so.replaceAll(name, name.padEnd(LONGEST_MADE[Type]!, 'x')) : so,
    text,
  );
}

function tooLong(what: string, length: number, longest: number): string[] {
  return length > longest ? [`${what} has ${length} characters, of at most ${longest}`] : [];
}
