/** A statement of an IAM policy, as far as the deployed roles use the language. */
export interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

/** What a request needs. */
export interface Right {
  readonly action: string;
  readonly resource: string;
  /** Of a listing; reading a missing object asks for the right to list without one. */
  readonly prefix?: string;
}

/** A request to AWS, with its body as far as it names the resource. */
export interface AwsRequest {
  /** Of the credential's scope: s3, sqs, lambda, states. */
  readonly service: string;
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

const SQS_ACTIONS: Readonly<Record<string, string>> = {
  SendMessage: 'sqs:SendMessage',
  SendMessageBatch: 'sqs:SendMessage',
  ReceiveMessage: 'sqs:ReceiveMessage',
  DeleteMessage: 'sqs:DeleteMessage',
  DeleteMessageBatch: 'sqs:DeleteMessage',
  GetQueueAttributes: 'sqs:GetQueueAttributes',
};

/** What a call of Step Functions is about, by the key of its request that names it. An execution's ARN is its name behind a colon. */
const STATES_RESOURCES: Readonly<Record<string, string>> = {
  StartExecution: 'stateMachineArn',
  ListExecutions: 'stateMachineArn',
  DescribeExecution: 'executionArn',
  RedriveExecution: 'executionArn',
  ListMapRuns: 'executionArn',
  DescribeMapRun: 'mapRunArn',
};

/**
 * Rights that a request needs, all of them.
 * @throws Error for a request whose rights aren't known here: better a test that fails than one that lets it pass
 */
export function neededRights(request: AwsRequest, queueArns: ReadonlyMap<string, string>): Right[] {
  const { service, url, headers, body } = request;
  if (service === 's3') return s3Rights(request);
  const operation = String(headers['x-amz-target'] ?? '').split('.')[1];
  if (service === 'lambda') {
    const [, name] = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(url.pathname) ?? [];
    if (name !== undefined) {
      const given = decodeURIComponent(name);
      const arn = given.startsWith('arn:')
        ? given
        : `arn:aws:lambda:eu-central-1:123456789012:function:${given}`;
      return [{ action: 'lambda:InvokeFunction', resource: arn }];
    }
  }
  if (service === 'states' && operation !== undefined && operation in STATES_RESOURCES) {
    const resource = JSON.parse(body.toString())[STATES_RESOURCES[operation]!] as string;
    return [{ action: `states:${operation}`, resource }];
  }
  if (service === 'events' && operation === 'PutEvents') {
    const { Entries } = JSON.parse(body.toString()) as { Entries: readonly { EventBusName: string }[] };
    return Entries.map(({ EventBusName }) => ({
      action: 'events:PutEvents',
      resource: `arn:aws:events:eu-central-1:123456789012:event-bus/${EventBusName}`,
    }));
  }
  if (service === 'sqs' && operation !== undefined && operation in SQS_ACTIONS) {
    const name = new URL(JSON.parse(body.toString()).QueueUrl).pathname.split('/').at(-1)!;
    const resource = queueArns.get(name);
    if (resource !== undefined) return [{ action: SQS_ACTIONS[operation]!, resource }];
  }
  throw new Error(`which rights does it need: ${service} ${operation ?? ''} ${request.method} ${url}`);
}

/** Addressed by path (Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3"). */
function s3Rights({ method, url, headers }: AwsRequest): Right[] {
  const [, bucket, key] = /^\/([^/]+)\/?(.*)$/.exec(decodeURIComponent(url.pathname)) ?? [];
  const query = url.searchParams;
  const on = (action: string) => ({ action, resource: `arn:aws:s3:::${bucket}/${key}` });
  if (bucket !== undefined && key === '') {
    const isListing = method === 'HEAD' || (method === 'GET' && query.get('list-type') === '2');
    const prefix = query.get('prefix');
    const about = prefix === null ? {} : { prefix };
    if (isListing) return [{ action: 's3:ListBucket', resource: `arn:aws:s3:::${bucket}`, ...about }];
  } else if (bucket !== undefined && headers['x-amz-copy-source'] === undefined) {
    if (method === 'GET' && query.has('uploadId')) return [on('s3:ListMultipartUploadParts')];
    if (method === 'GET' || method === 'HEAD') {
      return [on(query.has('versionId') ? 's3:GetObjectVersion' : 's3:GetObject')];
    }
    // A write on condition of what is there reads that, too.
    if (method === 'PUT') {
      const isReading = headers['if-match'] !== undefined;
      return isReading ? [on('s3:PutObject'), on('s3:GetObject')] : [on('s3:PutObject')];
    }
    if (method === 'POST' && (query.has('uploads') || query.has('uploadId'))) return [on('s3:PutObject')];
    if (method === 'DELETE' && query.has('uploadId')) return [on('s3:AbortMultipartUpload')];
    if (method === 'DELETE') return [on('s3:DeleteObject')];
  }
  throw new Error(`which rights does it need: s3 ${method} ${url}`);
}

/** Whether a role's statements give a right. @throws Error when a statement about it has more than is understood here */
export function isAllowed(statements: readonly Statement[], { action, resource, prefix }: Right): boolean {
  const matching = statements.filter(({ Effect, Action, Resource, Condition, ...rest }) => {
    // Actions are compared without regard to case, ARNs aren't.
    if (!matches(Action, action, 'i') || !matches(Resource, resource, '')) return false;
    const unknown = Object.keys(rest).filter((key) => key !== 'Sid');
    if (unknown.length > 0) throw new Error(`not understood in a role: ${unknown.join(', ')}`);
    return Condition === undefined || isMet(Condition, prefix);
  });
  return matching.length > 0 && matching.every(({ Effect }) => Effect === 'Allow');
}

function isMet({ StringLikeIfExists: like, ...rest }: object & Partial<Condition>, prefix?: string): boolean {
  const { 's3:prefix': prefixes, ...others } = like ?? {};
  const unknown = [...Object.keys(rest), ...Object.keys(others)];
  if (unknown.length > 0 || prefixes === undefined) {
    throw new Error(`not understood in a condition: ${unknown.join(', ')}`);
  }
  return prefix === undefined || matches(prefixes, prefix, '');
}
type Condition = NonNullable<Statement['Condition']>;

/** IAM's wildcards: any characters, and any single one. */
function matches(patterns: string | readonly string[], text: string, flags: string): boolean {
  return [patterns].flat().some((pattern) => {
    const escaped = pattern.replaceAll(/[.+^${}()|[\]\\]/g, '\\$&');
    return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, flags).test(text);
  });
}
