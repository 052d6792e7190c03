import { readArrivalMessage } from '../../functions/arrivalMessages.ts';
import { parseEvent } from '../../functions/parseEvent.ts';
import { partitionStepSchema } from '../../functions/partitionStep.ts';
import { startRequestSchema } from '../../functions/startRequest.ts';
import { decodeJson } from '../../lib/base/jsonDocument.ts';
import { below, partPath, pointerPath } from '../../lib/publish/outputLayout.ts';
import { runsOfPlan } from '../../lib/publish/runPlan.ts';
import { shardUri } from '../../lib/publish/span.ts';
import { workUnitSchema, workUnits } from '../../lib/publish/workUnit.ts';
import { planOf } from '../publish/planOf.ts';
import type { FuzzDocument } from './fuzzCase.ts';

const PARTITION = 'dt=2024-03-09';

/** What functions are called with: they have no file. */
export async function eventDocuments(): Promise<FuzzDocument[]> {
  const plan = planOf([10, 20]);
  const [run] = runsOfPlan(plan);
  const [unit] = await workUnits(run!, plan.partitions[0]!.parts);
  const decode = (bytes: Uint8Array) => decodeJson(bytes, { code: 'EVENT_INVALID' });
  const message = (document: unknown, name: string): FuzzDocument => ({
    name,
    document,
    take: async (bytes) => {
      readArrivalMessage(new TextDecoder().decode(bytes));
      return [];
    },
  });
  const record = { s3: { bucket: { name: 'b' }, object: { key: 'in/dt%3D2024-03-09/a+b.parquet' } } };
  const arrival = { arrival: { partition: PARTITION, round: 1, waitSeconds: 5 } };
  const created = { source: 'aws.s3', 'detail-type': 'Object Created' };
  const ended = { source: 'aws.states', 'detail-type': 'Step Functions Execution Status Change' };
  return [
    message({ Records: [record, record] }, 'S3 notification'),
    message({ Type: 'Notification', Message: JSON.stringify({ Records: [record] }) }, 'SNS envelope'),
    message({ ...created, detail: { bucket: { name: 'b' }, object: { key: 'in/a' } } }, 'EventBridge event'),
    message({ ...ended, detail: { status: 'FAILED', input: JSON.stringify(arrival) } }, 'end of a run'),
    ...[
      {
        partitions: { kind: 'dates', from: '2024-03-01', to: '2024-03-02' },
        modelUri: 's3://m',
        liftHold: true,
      },
      { planUri: 's3://b/out/plans/x.json' },
      arrival,
    ].map((document) => ({
      name: 'start request',
      document,
      take: async (bytes: Uint8Array) => {
        parseEvent(startRequestSchema, decode(bytes));
        return [];
      },
    })),
    {
      name: 'partition step',
      document: {
        item: run,
        attempt: 0,
        mapConcurrency: 1,
        results: { bucket: 'b', prefix: 'p' },
        ...arrival,
      },
      take: async (bytes) => {
        const { item } = parseEvent(partitionStepSchema, decode(bytes));
        return [{ uri: below(item.root, pointerPath(item.partition)), within: item.root }];
      },
    },
    {
      name: 'work unit',
      document: { ...unit, progress: { segments: ['segments/a/b/c.arrow'], span: 1, rowGroup: 2 } },
      take: async (bytes) => {
        const { root, inputUri, partition, parts, progress } = parseEvent(workUnitSchema, decode(bytes));
        const segments = (progress?.segments ?? []).map((path) => ({ uri: below(root, path), within: root }));
        const ofParts = parts.flatMap((part) => [
          { uri: below(root, partPath(partition, part.partId)), within: root },
          ...('spansPath' in part ? [{ uri: below(root, part.spansPath), within: root }] : []),
          ...('spans' in part ? part.spans : []).map(({ shard }) => ({
            uri: shardUri(inputUri, shard),
            within: inputUri,
          })),
        ]);
        return [...segments, ...ofParts];
      },
    },
  ];
}
