import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import type { EventPath } from '../support/functions/eventPath.ts';
import { putFolder } from '../support/s3/putFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { TRACE_ID, XrayDaemon } from '../support/xray/xrayDaemon.ts';

const s3 = testEndpoint();
const folder = temporaryFolder();
let daemon: XrayDaemon;
let path: EventPath;

// The environment decides when the modules are loaded: the functions are imported after it is Lambda's.
beforeAll(async () => {
  daemon = await XrayDaemon.start();
  Object.assign(process.env, daemon.environment);
  if (s3.double === undefined) return;
  path = await (await import('../support/functions/eventPath.ts')).EventPath.start(s3);
  const { bundleUri } = await trainTinyModel(join(folder, 'model'));
  await putFolder(bundleUri, `s3://${s3.bucket}/model`);
}, 60_000);
afterAll(async () => {
  await path?.stop();
  daemon.stop();
});

const named = (name: string) => daemon.named(name);

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('a trace', () => {
  it('finds a partition from plan to publication, its model, the cold start, and the calls to S3', async () => {
    path.begin('traced', `s3://${s3.bucket}/model`, 100);
    await path.land('dt=2024-03-11/a.parquet', funnelShard(funnelRows('2024-03-11', 90), 60));
    await path.deliverAll(1);
    await vi.waitFor(() => expect(named('publish partition').length).toBeGreaterThan(0));
    const annotations = { partition: 'dt=2024-03-11', model: 'tiny-1' };
    expect(named('plan partition')[0]).toMatchObject({
      trace_id: TRACE_ID,
      annotations: { ...annotations, ColdStart: false },
    });
    expect(named('score unit')[0]).toMatchObject({ annotations: { ...annotations, ColdStart: false } });
    expect(named('publish partition')[0]).toMatchObject({
      annotations: { ...annotations, outcome: 'published' },
    });
    expect(named('choose partitions')[0]).toMatchObject({ annotations: { ColdStart: true } });
    const operations = new Set(named('S3').map(({ aws }) => aws?.operation));
    expect(operations).toEqual(new Set(['ListObjectsV2', 'HeadObject', 'GetObject', 'PutObject']));
  });

  it('shows what failed, and the failure reaches the state machine as it does without tracing', async () => {
    path.begin('untraceable', `s3://${s3.bucket}/no-model`, 100);
    await path.land('dt=2024-03-12/a.parquet', funnelShard(funnelRows('2024-03-12', 90), 60));
    await path.deliverAll(1);
    // A message that comes twice may start another one.
    const [run] = path.runs();
    expect(run).toMatchObject({ status: 'FAILED', cause: expect.stringContaining('STORAGE_NOT_FOUND') });
    const failed = () => named('choose partitions').find(({ fault }) => fault === true);
    await vi.waitFor(() => expect(failed()).toBeDefined());
    expect(failed()).toMatchObject({
      cause: { exceptions: [{ message: expect.stringContaining('STORAGE_NOT_FOUND') }] },
    });
  });
});
