/** A statement of an IAM policy, as far as the deployed roles use the language. */
export interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
}

/** What a request needs. */
export interface Right {
  readonly action: string;
  readonly resource: string;
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
  if (service === 'states' && operation === 'DescribeMapRun') {
    return [{ action: 'states:DescribeMapRun', resource: JSON.parse(body.toString()).mapRunArn }];
  }
  if (service === 'events' && operation === 'PutEvents') {
    const { Entries } = JSON.parse(body.toString()) as { Entries: readonly { EventBusName: string }[] };
    return Entries.map(({ EventBusName }) => ({
      action: 'events:PutEvents',
      resource: `arn:aws:events:eu-central-1:123456789012:event-bus/${EventBusName}`,
    }));
  }
  if (service === 'states' && operation === 'StartExecution') {
    return [{ action: 'states:StartExecution', resource: JSON.parse(body.toString()).stateMachineArn }];
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
    if (isListing) return [{ action: 's3:ListBucket', resource: `arn:aws:s3:::${bucket}` }];
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

/** Whether a role's statements give a right. @throws Error when a statement has more than is understood here */
export function isAllowed(statements: readonly Statement[], { action, resource }: Right): boolean {
  const matching = statements.filter((statement) => {
    const { Effect, Action, Resource, ...rest } = statement;
    const unknown = Object.keys(rest).filter((key) => key !== 'Sid');
    if (unknown.length > 0) throw new Error(`not understood in a role: ${unknown.join(', ')}`);
    // Actions are compared without regard to case, ARNs aren't.
    return matches(Action, action, 'i') && matches(Resource, resource, '');
  });
  return matching.length > 0 && matching.every(({ Effect }) => Effect === 'Allow');
}

/** IAM's wildcards: any characters, and any single one. */
function matches(patterns: string | readonly string[], text: string, flags: string): boolean {
  return [patterns].flat().some((pattern) => {
    const escaped = pattern.replaceAll(/[.+^${}()|[\]\\]/g, '\\$&');
    return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, flags).test(text);
  });
}
