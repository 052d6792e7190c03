import type { Resources } from '../../support/cloudFormation/packagedTemplate.ts';
import { type LambdaFunction, listed, ofType, type Statement } from './resources.ts';

/** ARNs of the keys that the locations are encrypted with, where there are any. */
export interface Keys {
  readonly input?: string;
  readonly models?: string;
  readonly scores?: string;
}

/** A root below which the job reads or writes. */
export interface Location {
  readonly bucket: string;
  /** Empty, or ends with a slash. */
  readonly prefix: string;
  readonly key: string | undefined;
}

interface Job {
  readonly input: string;
  readonly scores: string;
  readonly model: { readonly models: string };
}

/** What the functions are told is where they may read and write. */
export function locationsIn(resources: Resources, keys: Keys): Location[] {
  const [[, { Environment }] = ['', {}]] = ofType<LambdaFunction>(resources, 'AWS::Lambda::Function');
  const { input, scores, model } = JSON.parse(Environment?.Variables.JOB ?? '{}') as Job;
  return [
    locationOf(input, keys.input),
    locationOf(model.models, keys.models),
    locationOf(scores, keys.scores),
  ];
}

function locationOf(uri: string, key: string | undefined): Location {
  const [, bucket = '', path = ''] = /^s3:\/\/([^/]+)(?:\/(.+))?$/.exec(uri) ?? [];
  return { bucket, prefix: path === '' ? '' : `${path}/`, key };
}

/** Is what a statement allows within one of the locations, or their keys through S3? */
export function isInLocation(
  action: string,
  resource: string,
  condition: Statement['Condition'],
  locations: readonly Location[],
): boolean {
  if (action.startsWith('kms:')) {
    const through = { StringLike: { 'kms:ViaService': 's3.*.amazonaws.com' } };
    const isThroughS3 = JSON.stringify(condition) === JSON.stringify(through);
    return isThroughS3 && locations.some(({ key }) => key === resource);
  }
  if (action === 's3:ListBucket') {
    return locations.some(({ bucket, prefix }) => {
      // A condition that is met where there is no prefix: when a missing object is read.
      const wanted = prefix === '' ? undefined : { StringLikeIfExists: { 's3:prefix': [`${prefix}*`] } };
      return resource === `arn:aws:s3:::${bucket}` && JSON.stringify(condition) === JSON.stringify(wanted);
    });
  }
  return locations.some((location) => objectsBelow(location, resource) !== undefined);
}

/** The folder of a location whose objects a resource stands for; empty for all. */
function objectsBelow({ bucket, prefix }: Location, resource: string): string | undefined {
  const root = `arn:aws:s3:::${bucket}/${prefix}`;
  if (!resource.startsWith(root)) return undefined;
  return /^((?:[^*?/]+\/)*)\*$/.exec(resource.slice(root.length))?.[1];
}

/** Whoever reads objects needs their key to decrypt, whoever writes them also its data keys; nobody else needs either. */
export function keyProblems(allowed: readonly Statement[], locations: readonly Location[]): string[] {
  const needed = new Set<string>();
  const given = new Set<string>();
  for (const { Action, Resource } of allowed) {
    for (const action of listed(Action)) {
      for (const resource of listed(Resource)) {
        if (action.startsWith('kms:')) given.add(`${action} on ${resource}`);
        const reached = locations.filter((location) => objectsBelow(location, resource) !== undefined);
        for (const { key } of reached) {
          if (key === undefined) continue;
          if (action === 's3:GetObject' || action === 's3:PutObject') needed.add(`kms:Decrypt on ${key}`);
          if (action === 's3:PutObject') needed.add(`kms:GenerateDataKey on ${key}`);
        }
      }
    }
  }
  return [
    ...[...needed].filter((each) => !given.has(each)).map((each) => `may not ${each}`),
    ...[...given].filter((each) => !needed.has(each)).map((each) => `may ${each}, and needn't`),
  ];
}
