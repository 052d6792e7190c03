import { expect, it } from 'vitest';
import { runStateMachine, type Services } from '../support/stepFunctions/runStateMachine.ts';
import { scoringRun } from '../support/stepFunctions/scoringRun.ts';
import { ALL, scoringRunScene } from './scoringRunScene.ts';

// What Step Functions itself reads and writes for the maps of a run.
const scene = scoringRunScene();

it.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)(
  'reads items and writes results of its maps again where S3 fails for a moment',
  async () => {
    scene.land('dt=2024-03-09', 40);
    const failed = new Set<string>();
    const failOnce = (what: string, name: string) => {
      if (failed.has(what)) return;
      failed.add(what);
      throw Object.assign(new Error('Please reduce your request rate'), { name });
    };
    const { readJson, writeJson } = scene.services;
    const services: Services = {
      ...scene.services,
      readJson: async (bucket, key) => {
        failOnce(key, 'States.ItemReaderFailed');
        return readJson(bucket, key);
      },
      writeJson: async (bucket, key, document) => {
        // The inner map ends before the publication, the outer one after it.
        failOnce(
          `results of ${scene.publications.length === 0 ? 'units' : 'partitions'}`,
          'States.ResultWriterFailed',
        );
        return writeJson(bucket, key, document);
      },
    };
    await runStateMachine(scoringRun, { partitions: ALL }, services, {
      name: 'where-s3-fails',
      stateMachineArn: 'arn:aws:states:eu-central-1:123456789012:stateMachine:scoring',
    });
    expect([...failed].map((what) => what.replace(/^.*\//, ''))).toEqual([
      'partitions.json',
      expect.stringMatching(/units\.json$/),
      'results of units',
      'results of partitions',
    ]);
    expect(await scene.published()).toEqual([['dt=2024-03-09', 40]]);
  },
);
