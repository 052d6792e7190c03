// Where input, models and scores are: in buckets that the account has, or in the stack's own. Read by serverless.yml as
// `custom.locations`, since what a policy may say follows from it. Names and ARNs are parts of a `!Sub`.
const OWN_BUCKETS = { input: 'FeaturesBucket', models: 'ModelsBucket', scores: 'ScoresBucket' };
/**
 * A bucket, and a prefix of plain characters: `*`, `?` and `$` mean something in policies. No alias of an access point, whose
 * policies name something else.
 */
const URI = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([\w!.'()/=+@:, -]+?))?\/*$/;
/** An alias is no resource of a policy. */
const KEY = /^arn:[\w-]+:kms:[\w-]+:\d{12}:key\/[\w-]+$/;
/** A list of files, as the job document tells it from a folder. */
const LIST = /^(?!\.{0,2}\/)[\w!.'()=+@:, -]+(\/(?!\.{0,2}\/)[\w!.'()=+@:, -]+)*\.(txt|json|manifest)$/i;
const STATES = ['ENABLED', 'DISABLED'];
/** Of BUCKET/PREFIX: policies name it for every folder, and IAM takes 6,144 characters of one. */
const LONGEST_LOCATION = 125;
/** Of a function's name, which has the stage in it; this one's is the longest. */
const LONGEST_NAME = 64;
const LONGEST_FUNCTION = 'freshness';
/** A day of the run, 14 in which it may be redriven, and a day of that. */
const LEAST_RECORD_DAYS = 16;
/** A Lambda function, by its ARN or its name in this account and region, with an alias or a version if wanted. */
const FUNCTION = /^(arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:)?[\w-]{1,64}(:[\w$-]{1,128})?$/;

module.exports = async ({ resolveVariable }) => {
  const param = async (name) => String(await resolveVariable(`param:${name}`)).trim();
  const entries = await Promise.all(
    Object.entries(OWN_BUCKETS).map(async ([name, bucket]) => [
      name,
      locationOf(name, await param(name), bucket, await param(`${name}KmsKey`)),
    ]),
  );
  refuseNested(entries);
  refuseLongNames(await resolveVariable('self:service'), await resolveVariable('sls:stage'));
  const events = await param('events');
  if (!STATES.includes(events))
    throw new Error(`param events: expected ${STATES.join(' or ')}, found ${events}`);
  const keyArnsOf = (...names) => [
    ...new Set(
      entries.flatMap(([name, { keyArn }]) => (names.includes(name) && keyArn !== '' ? [keyArn] : [])),
    ),
  ];
  const keyArns = keyArnsOf('input', 'models', 'scores');
  const writtenKeyArns = keyArnsOf('models', 'scores');
  const keys = keyArns.length === 0 ? 'none' : writtenKeyArns.length === 0 ? 'read' : 'written';
  const runRecordDays = recordDays(await param('runRecordDays'));
  const scoreConcurrency = reserved(await param('scoreConcurrency'));
  const jobInput = jobInputOf(entries[0][1], await param('inputList'), events);
  const audit = auditOf(await param('auditFunction'), await param('gates'));
  return {
    ...Object.fromEntries(entries),
    jobInput,
    keys,
    keyArns,
    writtenKeyArns,
    scoreConcurrency,
    runRecordDays,
    ...audit,
  };
};

/**
 * jobGates: of the job document, JSON; audit: is a function asked before anything is published?; auditArn: what may be
 * invoked.
 */
function auditOf(name, gatesJson) {
  let gates;
  try {
    gates = JSON.parse(gatesJson);
  } catch {}
  if (typeof gates !== 'object' || gates === null || Array.isArray(gates)) {
    throw new Error(`param gates: expected a JSON object, found ${gatesJson}`);
  }
  const { audit } = gates;
  // The right to invoke it comes with the param.
  if (audit !== undefined && ('function' in audit || 'command' in audit || name === '')) {
    throw new Error(
      'param gates: an audit needs --param="auditFunction=...", and has no function or command here',
    );
  }
  if (name === '') return { audit: 'none', auditArn: '', jobGates: JSON.stringify(gates) };
  if (!FUNCTION.test(name)) {
    throw new Error(`param auditFunction: expected the name or ARN of a function, found ${name}`);
  }
  const auditArn = name.startsWith('arn:')
    ? name
    : { 'Fn::Sub': `arn:\${AWS::Partition}:lambda:\${AWS::Region}:\${AWS::AccountId}:function:${name}` };
  const jobGates = JSON.stringify({ ...gates, audit: { ...audit, function: name } });
  return { audit: 'given', auditArn, jobGates };
}

/**
 * kind: whose bucket it is; uri: a value, for Join; bucket: its name; objects: ARN that objects' keys are appended to;
 * keyPrefix: empty, or ends with `/`; listing: the statement that lets a role list it; key: is a KMS key given?; keyArn;
 * encryption of an own bucket.
 */
function locationOf(name, uri, bucket, keyArn) {
  if (keyArn !== '' && !KEY.test(keyArn)) {
    throw new Error(`param ${name}KmsKey: expected the ARN of a KMS key, found ${keyArn}`);
  }
  const shared = {
    key: keyArn === '' ? 'none' : 'given',
    keyArn,
    encryption: encryptionBy(keyArn),
  };
  if (uri === '') {
    const arn = `\${${bucket}.Arn}`;
    return {
      ...shared,
      kind: 'own',
      uri: { 'Fn::Sub': `s3://\${${bucket}}` },
      bucket: `\${${bucket}}`,
      objects: arn,
      keyPrefix: '',
      listing: listing(arn, ''),
    };
  }
  const [, given, prefix = ''] = URI.exec(uri) ?? [];
  if (given === undefined || given.endsWith('-s3alias') || /(^|\/)\.{0,2}(\/|$)/.test(prefix || 'none')) {
    throw new Error(`param ${name}: expected s3://BUCKET or s3://BUCKET/PREFIX, found ${uri}`);
  }
  const length = given.length + prefix.length + 1;
  if (length > LONGEST_LOCATION) {
    throw new Error(
      `param ${name}: expected at most ${LONGEST_LOCATION} characters of BUCKET/PREFIX, found ${length}: ${uri}`,
    );
  }
  const arn = `arn:\${AWS::Partition}:s3:::${given}`;
  const tail = prefix === '' ? '' : `/${prefix}`;
  return {
    ...shared,
    kind: 'existing',
    uri: `s3://${given}${tail}`,
    bucket: given,
    objects: `${arn}${tail}`,
    keyPrefix: prefix === '' ? '' : `${prefix}/`,
    listing: listing(arn, prefix),
  };
}

/** A value, for Join: the input location, or the list in it. */
function jobInputOf({ uri, bucket, keyPrefix }, list, events) {
  if (list === '') return uri;
  if (!LIST.test(list)) {
    throw new Error(
      `param inputList: expected a path below the input that ends with .txt, .json or .manifest, found ${list}`,
    );
  }
  // Nothing that lands says that the list has changed.
  if (events !== 'DISABLED')
    throw new Error('param inputList: a list of files needs --param="events=DISABLED"');
  return { 'Fn::Sub': `s3://${bucket}/${keyPrefix}${list}` };
}

/**
 * IfExists: reading a missing object asks for the right to list too, without a prefix. Without it S3 answers that the object
 * is forbidden, and a partition that was never published could not be told from one that may not be read.
 */
function listing(arn, prefix) {
  return {
    Effect: 'Allow',
    Action: ['s3:ListBucket'],
    Resource: [{ 'Fn::Sub': arn }],
    ...(prefix === '' ? {} : { Condition: { StringLikeIfExists: { 's3:prefix': [`${prefix}/*`] } } }),
  };
}

function encryptionBy(keyArn) {
  const ServerSideEncryptionByDefault =
    keyArn === '' ? { SSEAlgorithm: 'AES256' } : { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: keyArn };
  const bucketKey = keyArn === '' ? {} : { BucketKeyEnabled: true };
  return { ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault, ...bucketKey }] };
}

/** An output must never be an input: no location lies in another one. */
function refuseNested(entries) {
  const given = entries.filter(([, { kind }]) => kind === 'existing');
  for (const [name, { uri }] of given) {
    const inside = given.find(
      ([other, { uri: outer }]) => other !== name && `${uri}/`.startsWith(`${outer}/`),
    );
    if (inside !== undefined) throw new Error(`${name} (${uri}) lies in ${inside[0]} (${inside[1].uri})`);
  }
}

/** A deployment would fail half way. */
function refuseLongNames(service, stage) {
  const most = LONGEST_NAME - `${service}--${LONGEST_FUNCTION}`.length;
  if (stage.length > most)
    throw new Error(`stage: expected at most ${most} characters, found ${stage.length}: ${stage}`);
}

/** No value where nothing is reserved: an account's first quota is ten invocations at a time, of which none may be reserved. */
function reserved(concurrency) {
  if (concurrency === 'none') return { Ref: 'AWS::NoValue' };
  if (/^[1-9]\d*$/.test(concurrency)) return Number(concurrency);
  throw new Error(`param scoreConcurrency: expected none or a number, found ${concurrency}`);
}

/** What a redrive reads must not expire before it. */
function recordDays(days) {
  if (/^[1-9]\d*$/.test(days) && Number(days) >= LEAST_RECORD_DAYS) return Number(days);
  throw new Error(
    `param runRecordDays: expected at least ${LEAST_RECORD_DAYS}, since failed runs may be redriven for 14 days, found ${days}`,
  );
}
