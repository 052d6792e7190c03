import type { SpoiltProperty } from '../checks/resources.ts';

export const PRIVACY_MUTATIONS: readonly SpoiltProperty[] = [
  ...['FeaturesBucket', 'ModelsBucket', 'ScoresBucket', 'ServerlessDeploymentBucket'].flatMap((bucket) => [
    ...['BlockPublicAcls', 'BlockPublicPolicy', 'IgnorePublicAcls', 'RestrictPublicBuckets'].map(
      (block) =>
        [
          `${bucket}/Properties/PublicAccessBlockConfiguration/${block}`,
          false,
          `${bucket}: ${block} is off`,
        ] as const,
    ),
    [`${bucket}/Properties/AccessControl`, 'PublicRead', `${bucket}: has an ACL`] as const,
    [`${bucket}/Properties/BucketEncryption`, undefined, `${bucket}: is not encrypted`] as const,
  ]),
  ['ScoresBucket/Properties/WebsiteConfiguration', {}, 'ScoresBucket: is a website'],
  ['ScoresBucketPolicy', undefined, 'ScoresBucket: is open to plain HTTP'],
  ['ScoresBucketPolicy/Properties/Bucket', { Ref: 'ModelsBucket' }, 'ScoresBucket: is open to plain HTTP'],
  ...[
    ['Effect', 'Allow', 'ScoresBucketPolicy: allows "*"'],
    ['Principal', { AWS: 'arn:aws:iam::1:root' }, 'ScoresBucket: is open to plain HTTP'],
    ['Action', 's3:GetObject', 'ScoresBucket: is open to plain HTTP'],
    ['Resource', [{ 'Fn::GetAtt': ['ScoresBucket', 'Arn'] }], 'ScoresBucket: is open to plain HTTP'],
    ['Condition', { Bool: { 'aws:SecureTransport': 'true' } }, 'ScoresBucket: is open to plain HTTP'],
    ['Condition/StringEquals', { 'aws:PrincipalOrgID': 'o' }, 'ScoresBucket: is open to plain HTTP'],
  ].map(
    ([key, value, found]) =>
      [`ScoresBucketPolicy/Properties/PolicyDocument/Statement/0/${key}`, value, String(found)] as const,
  ),
  [
    'ScoresBucketPolicy/Properties/PolicyDocument/Statement/+',
    { Effect: 'Allow', Principal: { AWS: '*' }, Action: 's3:GetObject', Resource: '*' },
    'ScoresBucketPolicy: allows {"AWS":"*"}',
  ],
  ['EventsQueuePolicy/Properties/PolicyDocument/Statement/0/Principal', '*', 'EventsQueuePolicy: allows "*"'],
  [
    'EventsQueuePolicy/Properties/PolicyDocument/Statement/0/Condition',
    undefined,
    'EventsQueuePolicy: allows s3.amazonaws.com,sns.amazonaws.com on behalf of any account',
  ],
  [
    'EventsQueuePolicy/Properties/PolicyDocument/Statement/1/Condition',
    {},
    'EventsQueuePolicy: allows events.amazonaws.com on behalf of any account',
  ],
  ['EventsQueuePolicy/Properties/PolicyDocument/Statement/2', {}, 'EventsQueuePolicy: allows plain HTTP'],
  ['EventsQueue/Properties/SqsManagedSseEnabled', false, 'EventsQueue: is not encrypted'],
  ['Url', { Type: 'AWS::Lambda::Url', Properties: { AuthType: 'NONE' } }, 'Url: is a URL for everyone'],
  [
    'Permission',
    { Type: 'AWS::Lambda::Permission', Properties: { Principal: '*', SourceAccount: '1' } },
    'Permission: lets everyone invoke',
  ],
  [
    'Permission',
    { Type: 'AWS::Lambda::Permission', Properties: { Principal: 's3.amazonaws.com' } },
    'Permission: lets a service invoke on behalf of any account',
  ],
];
