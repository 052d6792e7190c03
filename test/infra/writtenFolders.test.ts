import { beforeAll, describe, expect, it } from 'vitest';
import { readSettings } from '../../functions/settings.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { packagedTemplate, type Resources } from '../support/cloudFormation/packagedTemplate.ts';
import { resolveTemplate } from '../support/cloudFormation/resolveTemplate.ts';
import { listed, nameIn, ofType, propertyOf, type Statement } from './checks/resources.ts';
import { allowances } from './checks/roles.ts';

// Which folders of the scores each function writes, and how long what is written there stays.
let resources: Resources;

beforeAll(() => {
  resources = resolveTemplate(packagedTemplate('prod'));
}, 60_000);

const property = (name: string, ...path: readonly string[]): unknown => propertyOf(resources, name, ...path);

describe('what functions may write', () => {
  const allowed = () =>
    ofType<object>(resources, 'AWS::IAM::Role').map(
      ([name, role]) => [name, allowances(name, role, resources)] as const,
    );
  const may = (action: string) => (statement: Statement) => listed(statement.Action).includes(action);
  const writers = (folder: string) =>
    allowed()
      .filter(([, statements]) =>
        statements
          .filter(may('s3:PutObject'))
          .some(({ Resource }) => listed(Resource).includes(`arn:aws:s3:::ScoresBucket/${folder}/*`)),
      )
      .map(([name]) => name);

  it('is below folders of the scores, each of them by those that have to', () => {
    const written = allowed().flatMap(([, statements]) =>
      statements.filter(may('s3:PutObject')).flatMap(({ Resource }) => listed(Resource)),
    );
    // Both functions that start runs of arrivals note them; a run's items and what became of them are below one folder.
    const folders = [
      '.probe',
      'announced',
      'arrivals',
      'arrivals',
      'audits',
      'blocked',
      'broken',
      'dead-letters',
      'keys',
      'keys',
      'manifests',
      'parts',
      'plans',
      'pointers',
      'receipts',
      'run-records',
      'runs',
      'runs',
      'segments',
      'shapes',
      'shapes',
    ];
    expect(written.sort()).toEqual(folders.map((folder) => `arn:aws:s3:::ScoresBucket/${folder}/*`));
    expect(writers('arrivals')).toEqual(['PlanRole', 'ArrivalsRole']);
    expect(writers('plans')).toEqual(['PlanRole']);
    expect(writers('pointers')).toEqual(['PublishRole']);
    expect(writers('manifests')).toEqual(['PublishRole']);
    expect(writers('announced')).toEqual(['PublishRole']);
    expect(writers('blocked')).toEqual(['PublishRole']);
    expect(writers('keys')).toEqual(['ScoreRole', 'PublishRole']);
    expect(writers('dead-letters')).toEqual(['ScoreRole']);
    expect(writers('parts')).toEqual(['ScoreRole']);
    expect(writers('receipts')).toEqual(['ScoreRole']);
    expect(writers('runs')).toEqual(['PlanRole', 'ScoringRunRole']);
    expect(writers('run-records')).toEqual(['PlanRole']);
  });

  it('and the state machine writes what became of its items where its role may', () => {
    for (const params of [[], ['--param=scores=s3://our-data/scores/v2']]) {
      const template = resolveTemplate(packagedTemplate('prod', ...params));
      const { Variables } = template.PlanLambdaFunction!.Properties!.Environment as {
        Variables: NodeJS.ProcessEnv;
      };
      // Where the plan function sends both maps.
      const results = joinUri(readSettings(Variables).JOB.scores, 'runs');
      const machine = template.ScoringRun!.Properties!;
      const prefixes = JSON.stringify(machine.Definition).matchAll(/"Prefix\.\$":"([^"]*)"/g);
      expect([...prefixes].map(([, path]) => path)).toEqual(['$.run.results.prefix', '$.results.prefix']);
      const [, role] = ofType<object>(template, 'AWS::IAM::Role').find(
        ([name]) => name === 'ScoringRunRole',
      )!;
      const written = allowances('ScoringRunRole', role, template).filter(may('s3:PutObject'));
      expect(written.flatMap(({ Resource }) => listed(Resource))).toEqual([
        `${results.replace('s3://', 'arn:aws:s3:::')}/*`,
      ]);
    }
  });

  it('can start nothing: only features tell of new objects, and no role sends to the queue of events', () => {
    const telling = Object.keys(resources).filter((name) => property(name, 'NotificationConfiguration'));
    expect(telling).toEqual(['FeaturesBucket']);
    for (const [name, statements] of allowed()) {
      const sent = statements.filter(may('sqs:SendMessage')).flatMap(({ Resource }) => listed(Resource));
      expect(sent.map(nameIn), name).not.toContain('EventsQueue');
    }
  });

  it('is never deleted by them, but for pieces of a part that is whole', () => {
    const risky = allowed().flatMap(([name, statements]) =>
      statements
        .filter(({ Action }) =>
          listed(Action).some((action) => /^s3:(Delete|PutBucket|PutObjectAcl)/.test(action)),
        )
        .map(({ Action, Resource }) => [name, listed(Action), listed(Resource)]),
    );
    expect(risky).toEqual([['ScoreRole', ['s3:DeleteObject'], ['arn:aws:s3:::ScoresBucket/segments/*']]]);
  });
});

describe('buckets', () => {
  it('of scores expire what nothing can refer to: former versions after a month, records of runs after their days', () => {
    const { Rules } = property('ScoresBucket', 'LifecycleConfiguration') as {
      Rules: Record<string, unknown>[];
    };
    const expiring = Rules.filter((rule) => Object.keys(rule).some((key) => /Expiration/.test(key)));
    const byAge = expiring.filter((rule) => 'ExpirationInDays' in rule || 'ExpirationDate' in rule);
    expect(byAge.map(({ Prefix, ExpirationInDays }) => [Prefix, ExpirationInDays])).toEqual([
      ['plans/', 90],
      ['runs/', 90],
      ['run-records/', 90],
      ['segments/', 90],
    ]);
    const former = expiring.filter((rule) => !byAge.includes(rule));
    expect(former).toMatchObject([
      { NoncurrentVersionExpiration: { NoncurrentDays: 30 }, ExpiredObjectDeleteMarker: true },
    ]);
    expect(Rules.every(({ Status }) => Status === 'Enabled')).toBe(true);
  });

  it('keep former versions where something changes: pointers, and models by mistake', () => {
    for (const name of ['ModelsBucket', 'ScoresBucket']) {
      expect(property(name, 'VersioningConfiguration')).toEqual({ Status: 'Enabled' });
    }
  });
});
