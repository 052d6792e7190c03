import { createSocket, type Socket } from 'node:dgram';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { SQSBatchResponse } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import type { EventPath } from '../support/functions/eventPath.ts';
import { putFolder } from '../support/s3/putFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';

/** A subsegment as it is sent to X-Ray's daemon. */
interface Subsegment {
  readonly name: string;
  readonly trace_id: string;
  readonly annotations?: Readonly<Record<string, string | boolean>>;
  readonly aws?: { readonly operation: string };
  readonly fault?: boolean;
  readonly cause?: { readonly exceptions: readonly { readonly message: string }[] };
}

const TRACE = '1-5759e988-bd862e3fe1be46a994272793';
const s3 = testEndpoint();
const folder = temporaryFolder();
const sent: Subsegment[] = [];
let daemon: Socket;
let path: EventPath;

// The environment decides when the modules are loaded: the functions are imported after it is Lambda's.
beforeAll(async () => {
  daemon = createSocket('udp4').on('message', (message) => {
    sent.push(JSON.parse(message.toString().split('\n')[1]!));
  });
  await new Promise<void>((resolve) => daemon.bind(0, '127.0.0.1', resolve));
  Object.assign(process.env, {
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x',
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    LAMBDA_TASK_ROOT: folder,
    _X_AMZN_TRACE_ID: `Root=${TRACE};Parent=53995c3f42cd8ad8;Sampled=1`,
    AWS_XRAY_DAEMON_ADDRESS: `127.0.0.1:${(daemon.address() as AddressInfo).port}`,
  });
  if (s3.double === undefined) return;
  path = await (await import('../support/functions/eventPath.ts')).EventPath.start(s3);
  const { bundleUri } = await trainTinyModel(join(folder, 'model'));
  await putFolder(bundleUri, `s3://${s3.bucket}/model`);
}, 60_000);
afterAll(async () => {
  await path?.stop();
  daemon.close();
});

const named = (name: string) => sent.filter((subsegment) => subsegment.name === name);

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('a trace', () => {
  it('finds a partition from plan to publication, its model, the cold start, and the calls to S3 and SQS', async () => {
    path.begin('traced', `s3://${s3.bucket}/model`, 100);
    await path.land('dt=2024-03-11/a.parquet', funnelShard(funnelRows('2024-03-11', 90), 60));
    await path.deliverAll(1);
    await vi.waitFor(() => expect(named('publish partition').length).toBeGreaterThan(0));
    const annotations = { partition: 'dt=2024-03-11', model: 'tiny-1' };
    expect(named('plan partition')[0]).toMatchObject({
      trace_id: TRACE,
      annotations: { ...annotations, ColdStart: true },
    });
    expect(named('score unit')[0]).toMatchObject({ annotations: { ...annotations, ColdStart: false } });
    expect(named('publish partition')[0]).toMatchObject({
      annotations: { ...annotations, outcome: 'published' },
    });
    const operations = new Set([...named('S3'), ...named('SQS')].map(({ aws }) => aws?.operation));
    expect(operations).toEqual(
      new Set(['ListObjectsV2', 'HeadObject', 'GetObject', 'PutObject', 'SendMessageBatch']),
    );
  });

  it('shows what failed, and the failure reaches the queue as it does without tracing', async () => {
    path.begin('untraceable', `s3://${s3.bucket}/no-model`, 100);
    await path.land('dt=2024-03-12/a.parquet', funnelShard(funnelRows('2024-03-12', 90), 60));
    const { handler } = await import('../../functions/plan.ts');
    const batch = path.take('events', 1);
    const { batchItemFailures } = (await handler(batch)) as SQSBatchResponse;
    expect(batchItemFailures).toEqual([{ itemIdentifier: batch.Records[0]!.messageId }]);
    const failed = () =>
      named('plan partition').find(({ annotations }) => annotations?.partition === 'dt=2024-03-12');
    await vi.waitFor(() => expect(failed()).toBeDefined());
    expect(failed()).toMatchObject({
      fault: true,
      cause: { exceptions: [{ message: expect.stringContaining('STORAGE_NOT_FOUND') }] },
    });
  });
});
