import type { Resources } from '../../support/cloudFormation/packagedTemplate.ts';
import { listed, nameIn, ofType, type Statement, statementsOf } from './resources.ts';

interface Bucket {
  readonly PublicAccessBlockConfiguration: Readonly<Record<string, boolean>>;
  readonly AccessControl: string;
  readonly WebsiteConfiguration: object;
  readonly BucketEncryption: object;
}
interface Policy {
  readonly Bucket: string;
  readonly Queues: readonly string[];
  readonly Topics: readonly string[];
  readonly PolicyDocument: object;
}

const BLOCKS = ['BlockPublicAcls', 'BlockPublicPolicy', 'IgnorePublicAcls', 'RestrictPublicBuckets'];
const RESOURCE_POLICIES = ['AWS::S3::BucketPolicy', 'AWS::SQS::QueuePolicy', 'AWS::SNS::TopicPolicy'];

/** Nothing can be reached by others, and nothing over plain HTTP. */
export function privacy(resources: Resources): string[] {
  return [...bucketProblems(resources), ...policyProblems(resources), ...otherProblems(resources)];
}

function bucketProblems(resources: Resources): string[] {
  const policies = ofType<Policy>(resources, 'AWS::S3::BucketPolicy');
  return ofType<Bucket>(resources, 'AWS::S3::Bucket').flatMap(([name, bucket]) => {
    const open = BLOCKS.filter((block) => bucket.PublicAccessBlockConfiguration?.[block] !== true);
    const arn = `arn:aws:s3:::${name}`;
    const own = policies.filter(([, { Bucket }]) => Bucket === name);
    const isTlsOnly = own.some(([, { PolicyDocument }]) =>
      deniesPlainHttp(PolicyDocument, [arn, `${arn}/*`]),
    );
    return [
      ...open.map((block) => `${name}: ${block} is off`),
      ...(bucket.AccessControl === undefined ? [] : [`${name}: has an ACL`]),
      ...(bucket.WebsiteConfiguration === undefined ? [] : [`${name}: is a website`]),
      ...(bucket.BucketEncryption === undefined ? [`${name}: is not encrypted`] : []),
      ...(isTlsOnly ? [] : [`${name}: is open to plain HTTP`]),
    ];
  });
}

/** What resource policies allow, they allow to one AWS service, for this account. */
function policyProblems(resources: Resources): string[] {
  return RESOURCE_POLICIES.flatMap((type) =>
    ofType<Policy>(resources, type).flatMap(([name, policy]) => {
      const problems = statementsOf(policy.PolicyDocument)
        .filter(({ Effect }) => Effect !== 'Deny')
        .flatMap((statement) => allowanceProblems(statement).map((problem) => `${name}: ${problem}`));
      const queues = listed(policy.Queues).map(
        (url) => `arn:aws:sqs:eu-central-1:123456789012:${nameIn(url)}`,
      );
      const isTlsOnly = deniesPlainHttp(policy.PolicyDocument, queues);
      return isTlsOnly ? problems : [...problems, `${name}: allows plain HTTP`];
    }),
  );
}

function allowanceProblems({ Principal, Condition = {} }: Statement): string[] {
  const services = typeof Principal === 'object' ? listed(Principal.Service) : [];
  const isServices =
    typeof Principal === 'object' && Object.keys(Principal).join() === 'Service' && !services.includes('*');
  if (!isServices) return [`allows ${JSON.stringify(Principal)}`];
  const ours = Object.entries(Condition).some(
    ([operator, keys]) =>
      /^(String|Arn)Equals$/.test(operator) && ('aws:SourceAccount' in keys || 'aws:SourceArn' in keys),
  );
  return ours ? [] : [`allows ${services.join()} on behalf of any account`];
}

/** Does a policy deny every action on all the resources to everyone who comes without TLS? */
function deniesPlainHttp(document: unknown, resources: readonly string[]): boolean {
  return statementsOf(document).some(({ Effect, Principal, Action, Resource, Condition }) => {
    const isEveryone = Principal === '*' || (typeof Principal === 'object' && Principal.AWS === '*');
    const isEverything = listed(Action).some((action) => /^(s3|sqs|sns|):?\*$/.test(action));
    const isPlain = String(Condition?.Bool?.['aws:SecureTransport']) === 'false';
    const isOnlyThat = Object.keys(Condition ?? {}).length === 1;
    const covers = resources.every((resource) => listed(Resource).includes(resource));
    return Effect === 'Deny' && isEveryone && isEverything && isPlain && isOnlyThat && covers;
  });
}

function otherProblems(resources: Resources): string[] {
  const urls = ofType<{ AuthType: string }>(resources, 'AWS::Lambda::Url');
  const permissions = ofType<{ Principal: string; SourceAccount: string; SourceArn: string }>(
    resources,
    'AWS::Lambda::Permission',
  );
  const queues = ofType<{ SqsManagedSseEnabled: boolean; KmsMasterKeyId: string }>(
    resources,
    'AWS::SQS::Queue',
  );
  return [
    ...urls
      .filter(([, { AuthType }]) => AuthType !== 'AWS_IAM')
      .map(([name]) => `${name}: is a URL for everyone`),
    ...permissions
      .filter(([, { Principal }]) => Principal === '*')
      .map(([name]) => `${name}: lets everyone invoke`),
    ...permissions
      .filter(([, { SourceAccount, SourceArn }]) => SourceAccount === undefined && SourceArn === undefined)
      .map(([name]) => `${name}: lets a service invoke on behalf of any account`),
    ...queues
      .filter(([, queue]) => queue.SqsManagedSseEnabled !== true && queue.KmsMasterKeyId === undefined)
      .map(([name]) => `${name}: is not encrypted`),
  ];
}
