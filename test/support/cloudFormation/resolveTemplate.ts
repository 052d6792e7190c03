import type { Resource, Resources } from './packagedTemplate.ts';

/** Where the template is said to be deployed. */
const REGION = 'eu-central-1';
const ACCOUNT = '123456789012';
const PSEUDO: Readonly<Record<string, string>> = {
  'AWS::Region': REGION,
  'AWS::AccountId': ACCOUNT,
  'AWS::Partition': 'aws',
  'AWS::URLSuffix': 'amazonaws.com',
  'AWS::StackName': 'ncs4cvr-prod',
};

/** ARNs by type, of a resource's own name. Types that nothing refers to by ARN are left out. */
const ARNS: Readonly<Record<string, (name: string) => string>> = {
  'AWS::Events::Rule': (name) => `arn:aws:events:${REGION}:${ACCOUNT}:rule/${name}`,
  'AWS::IAM::Role': (name) => `arn:aws:iam::${ACCOUNT}:role/${name}`,
  'AWS::Lambda::Function': (name) => `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`,
  'AWS::S3::Bucket': (name) => `arn:aws:s3:::${name}`,
  'AWS::SNS::Topic': (name) => `arn:aws:sns:${REGION}:${ACCOUNT}:${name}`,
  'AWS::SQS::Queue': (name) => `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}`,
  'AWS::StepFunctions::StateMachine': (name) => `arn:aws:states:${REGION}:${ACCOUNT}:stateMachine:${name}`,
};
/** What of a resource is its name, where the template gives it one. */
const NAME_PROPERTIES = ['FunctionName', 'LogGroupName', 'Name'];

/**
 * A template's resources as CloudFormation makes them: `Ref`, `Fn::GetAtt`, `Fn::Sub` and `Fn::Join` give way to values, and
 * a state machine's substitutions are made in its definition. A resource without a name of its own has its logical one.
 * @throws Error when something is referred to that is not there
 */
export function resolveTemplate(resources: Resources): Resources {
  return Object.fromEntries(
    Object.entries(resources).map(([name, resource]) => [
      name,
      withSubstitutions(resolve(resource, resources) as Resource),
    ]),
  );
}

function resolve(value: unknown, resources: Resources): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((each) => resolve(each, resources));
  const entries = Object.entries(value);
  const [key, argument] = entries[0] ?? [];
  if (entries.length === 1) {
    if (key === 'Ref') return refOf(String(argument), resources);
    if (key === 'Fn::GetAtt') {
      const [name, attribute] = Array.isArray(argument) ? argument : String(argument).split('.');
      return attributeOf(name, attribute, resources);
    }
    if (key === 'Fn::Sub') {
      const [text, variables] = Array.isArray(argument) ? argument : [argument, {}];
      return substitute(String(text), resolve(variables, resources) as Record<string, unknown>, resources);
    }
    if (key === 'Fn::Join') {
      const [separator, parts] = argument as [string, unknown[]];
      return parts.map((part) => resolve(part, resources)).join(separator);
    }
    if (key!.startsWith('Fn::')) throw new Error(`${key} is not known here`);
  }
  const present = entries.filter(([, each]) => !isNoValue(each));
  return Object.fromEntries(present.map(([name, each]) => [name, resolve(each, resources)]));
}

/** A property that isn't there. */
function isNoValue(value: unknown): boolean {
  return (value as { Ref?: string } | null)?.Ref === 'AWS::NoValue';
}

function substitute(
  text: string,
  variables: Readonly<Record<string, unknown>>,
  resources: Resources,
): string {
  return text.replaceAll(/\$\{([^}]+)\}/g, (_, reference: string) => {
    if (reference in variables) return String(variables[reference]);
    const [name, attribute] = reference.split('.');
    return attribute === undefined ? refOf(name!, resources) : attributeOf(name!, attribute, resources);
  });
}

function refOf(name: string, resources: Resources): string {
  if (name in PSEUDO) return PSEUDO[name]!;
  const { Type } = known(name, resources);
  if (Type === 'AWS::SQS::Queue') return `https://sqs.${REGION}.amazonaws.com/${ACCOUNT}/${name}`;
  if (Type === 'AWS::SNS::Topic' || Type === 'AWS::StepFunctions::StateMachine') {
    return attributeOf(name, 'Arn', resources);
  }
  return ownName(name, resources);
}

function attributeOf(name: string, attribute: string, resources: Resources): string {
  const { Type } = known(name, resources);
  if (attribute === 'Arn' && Type in ARNS) return ARNS[Type]!(ownName(name, resources));
  if (attribute === 'QueueName' && Type === 'AWS::SQS::Queue') return name;
  if (attribute === 'Name' && Type === 'AWS::StepFunctions::StateMachine') return name;
  throw new Error(`${name} (${Type}) has no attribute ${attribute} that is known here`);
}

function ownName(name: string, resources: Resources): string {
  const { Properties = {} } = known(name, resources);
  const given = NAME_PROPERTIES.find((property) => property in Properties);
  return given === undefined ? name : String(resolve(Properties[given], resources));
}

function known(name: string, resources: Resources): Resource {
  const resource = resources[name];
  if (resource === undefined) throw new Error(`the template has no ${name}`);
  return resource;
}

/** As CloudFormation hands a definition to Step Functions: without a `${NAME}` that is left. */
function withSubstitutions(resource: Resource): Resource {
  const { Definition, DefinitionSubstitutions = {}, ...rest } = resource.Properties ?? {};
  if (Definition === undefined) return resource;
  const values = DefinitionSubstitutions as Readonly<Record<string, string>>;
  const text = JSON.stringify(Definition).replaceAll(/\$\{([^}]+)\}/g, (_, name: string) => {
    if (name in values) return JSON.stringify(values[name]).slice(1, -1);
    throw new Error(`the definition's \${${name}} has no substitution`);
  });
  return { ...resource, Properties: { ...rest, Definition: JSON.parse(text), DefinitionSubstitutions } };
}
