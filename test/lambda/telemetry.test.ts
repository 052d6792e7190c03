import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { codeVersion } from '../../scripts/codeVersion.mjs';
import { dashboardMetrics } from '../infra/checks/alarms.ts';
import { first } from '../publish/partitionUnderTest.ts';
import { unzipFunction } from '../support/lambda/unzipFunction.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { DeployedFunctions, FUNCTIONS, METRICS_NAMESPACE } from './deployedFunctions.ts';

// What an operator sees of the functions: logs, metrics, errors.
const version = codeVersion(fileURLToPath(new URL('../..', import.meta.url)));
const lambda = new DeployedFunctions(testEndpoint());

/** The functions' own metrics that the dashboard shows: namespace, name, dimension, its value. */
function shownMetrics(): string[][] {
  const text = readFileSync(new URL('../../infra/dashboard.yml', import.meta.url), 'utf8');
  const [, body = ''] = /DashboardBody: !Sub \|\n(.*?)\nDISABLED:/s.exec(text) ?? [];
  // Where another variable stands, any number will do.
  const filled = body.replaceAll(/\$\{sls:stage\}/g, 'prod').replaceAll(/\$\{[^}]+\}/g, '0');
  return dashboardMetrics(filled).filter(([namespace]) => namespace === METRICS_NAMESPACE);
}

interface EmfRecord {
  readonly _aws: {
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string;
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { readonly Name: string }[];
    }[];
  };
  readonly [name: string]: unknown;
}

/** What CloudWatch makes of EMF: the same as in the dashboard. */
function writtenMetrics(records: readonly Record<string, unknown>[]): string[][] {
  return records
    .filter((record): record is EmfRecord => '_aws' in record)
    .flatMap((record) =>
      record._aws.CloudWatchMetrics.flatMap(({ Namespace, Dimensions, Metrics }) =>
        Metrics.flatMap(({ Name }) =>
          Dimensions.map(([name]) => [Namespace, Name, name!, String(record[name!])]),
        ),
      ),
    );
}

it('every line of a run is a JSON record; log records name the service, the code, the request and its trace', async () => {
  lambda.land('a.parquet', first);
  await lambda.deliverAll();
  for (const name of FUNCTIONS) {
    const records = lambda.functions[name].logRecords();
    expect(records, name).toHaveLength(lambda.functions[name].logLines.length);
    const logs = records.filter((record) => !('_aws' in record));
    expect(logs.length).toBeGreaterThan(0);
    for (const log of logs) {
      expect(log).toMatchObject({
        level: 'INFO',
        service: 'ncs4cvr',
        code_version: version,
        function_request_id: expect.any(String),
      });
      const { function_request_id: request, xray_trace_id: trace } = log as Record<string, string>;
      // The runtime's stand-in makes one from the other.
      expect(trace!.split('-').at(-1)).toBe(request!.replaceAll('-', '').slice(0, 24));
    }
  }
  const scored = lambda.functions.score
    .logRecords()
    .filter((record) => !('_aws' in record) && typeof record.rowsScored === 'number');
  expect(scored.map(({ rowsScored }) => rowsScored)).toEqual([120, 120, 120, 40]);
});

it('the metrics on the dashboard are those that the functions write', async () => {
  lambda.land('a.parquet', first);
  await lambda.deliverAll();
  await lambda.run();
  const shown = shownMetrics();
  const records = FUNCTIONS.flatMap((name) => lambda.functions[name].logRecords());
  const written = writtenMetrics(records);
  for (const name of ['rowsScored', 'published', 'unchanged']) {
    const metric = [METRICS_NAMESPACE, name, 'service', 'ncs4cvr'];
    expect(shown).toContainEqual(metric);
    expect(written).toContainEqual(metric);
  }
  const rows = records.filter((record) => '_aws' in record).flatMap(({ rowsScored = [] }) => rowsScored);
  expect(rows).toEqual([120, 120, 120, 40]);
});

it('pieces of work are logged with their durations and what they were about, one for each invocation', async () => {
  lambda.land('a.parquet', first);
  await lambda.run();
  const spans = {
    plan: ['choose partitions', 'plan partition'],
    score: ['score unit'],
    publish: ['publish partition'],
  };
  for (const name of ['plan', 'score', 'publish'] as const) {
    const logged = lambda.functions[name].logRecords().filter(({ span }) => span !== undefined);
    expect(new Set(logged.map(({ span }) => span)), name).toEqual(new Set(spans[name]));
    for (const record of logged) {
      expect(record).toMatchObject({
        message: record.span,
        durationMillis: expect.any(Number),
        isDone: true,
        xray_trace_id: expect.any(String),
      });
      if (record.span === 'choose partitions') continue;
      expect(record).toMatchObject({ partition: expect.stringMatching(/^dt=/), model: expect.any(String) });
    }
    const invocations = new Set(logged.map(({ function_request_id: id }) => id)).size;
    expect(invocations, name).toBe({ plan: 2, score: 4, publish: 1 }[name]);
    expect(logged).toHaveLength(invocations);
  }
});

describe('a function that is not set up right', () => {
  it('fails and names every variable that is missing or wrong', async () => {
    const { input: _, ...job } = { ...lambda.job(), targetRows: 'many' };
    const environment = { ...lambda.environment(), JOB: JSON.stringify(job), MAP_CONCURRENCY: 'all' };
    const plan = await lambda.create('plan', { environment });
    await expect(plan.invoke({})).rejects.toThrow(
      /: SETTINGS_INVALID: .*\n {2}- JOB\.input: .*\n {2}- JOB\.targetRows: .*\n {2}- MAP_CONCURRENCY: .*$/,
    );
    expect(plan.logLines).toHaveLength(1);
    expect(plan.logLines[0]).toContain('"code":"SETTINGS_INVALID"');
    const score = await lambda.create('score', { environment });
    await expect(score.invoke({})).rejects.toThrow('EVENT_INVALID');
  });

  it('says what in a request is not known', async () => {
    const request = { partitions: { kind: 'one' } };
    await expect(lambda.functions.plan.invoke({ step: 'choose', run: 'r', request })).rejects.toThrow(
      /: EVENT_INVALID: .*\n {2}- request.partitions.partition: .*$/,
    );
  });

  it('fails to start, and names the native file, when it was packaged for another architecture', async () => {
    const taskRoot = unzipFunction(join(lambda.folder, 'other'), 'x64', 'score');
    rmSync(join(taskRoot, 'node_modules/onnxruntime-node/bin'), { recursive: true });
    const score = await lambda.create('score', { taskRoot });
    await expect(score.invoke({})).rejects.toMatchObject({
      errorType: 'Runtime.ImportModuleError',
      message: expect.stringContaining('linux/x64/onnxruntime_binding.node'),
    });
  });
});
