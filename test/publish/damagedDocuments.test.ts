import { expect, it, test } from 'vitest';
import { sha256 } from '../../lib/base/digest.ts';
import type { ProblemsError } from '../../lib/base/errors.ts';
import { encodeJson } from '../../lib/base/jsonDocument.ts';
import { readManifest } from '../../lib/publish/manifest.ts';
import { manifestUri, pointerUri, receiptUri } from '../../lib/publish/outputLayout.ts';
import { readPointer } from '../../lib/publish/pointer.ts';
import { readReceipt } from '../../lib/publish/receipt.ts';
import { readRunPlan } from '../../lib/publish/runPlan.ts';
import { partIdOf, type Span } from '../../lib/publish/span.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { planOf } from './planOf.ts';

const root = temporaryFolder();
const PARTITION = 'dt=2024-03-09';
const model = { version: 'v', sha256: 'a', contractFingerprint: 'b' };
const span: Span = { inputUri: 'x', inputVersion: '1', firstRowGroup: 0, endRowGroup: 1, rows: 5 };

/** Writes `bytes` to `uri`; the error of reading it. */
async function refusal(uri: string, bytes: Uint8Array, read: () => Promise<unknown>): Promise<ProblemsError> {
  await writeWhole(uri, bytes);
  try {
    await read();
  } catch (error) {
    expect(error).toMatchObject({ code: 'PUBLISH_DOCUMENT_INVALID', location: { file: uri } });
    return error as ProblemsError;
  }
  throw new Error('the document was taken');
}

test('a damaged pointer is refused in readable lines: the file, then every problem with its place', async () => {
  const uri = pointerUri(root, PARTITION);
  const damaged = {
    formatVersion: 1,
    partition: PARTITION,
    generation: 0,
    modelSince: 1,
    current: { manifest: 'm', sha256: 5, model, modelUri: 'b', rows: 1 },
    history: [],
    hold: null,
    holds: 'x',
  };
  const { message } = await refusal(uri, encodeJson(damaged), () => readPointer(root, PARTITION));
  const [head, ...lines] = message.split('\n');
  expect(head).toBe(
    `PUBLISH_DOCUMENT_INVALID: ${uri}: this isn't a valid pointer; another program may have changed it`,
  );
  expect(lines).toEqual([
    expect.stringMatching(/^ {2}- generation: Too small/),
    '  - current.sha256: Invalid input: expected string, received number',
    '  - document: Unrecognized key: "holds"',
  ]);
});

test('a pointer that was cut off is told as no JSON, with the same code', async () => {
  const uri = pointerUri(root, PARTITION);
  const cut = new TextEncoder().encode('{"formatVersion": 1,');
  const { message } = await refusal(uri, cut, () => readPointer(root, PARTITION));
  expect(message).toMatch(/^PUBLISH_DOCUMENT_INVALID: .*dt=2024-03-09\.json: not JSON: [^\n]+$/);
});

test('a manifest of another format is refused by the names of its fields, though its digest is right', async () => {
  const bytes = encodeJson({
    formatVersion: 2,
    partition: PARTITION,
    runId: 'r',
    model,
    rows: 1.5,
    parts: [],
  });
  const digest = sha256(bytes);
  const uri = manifestUri(root, PARTITION, digest);
  const publication = { manifest: uri, sha256: digest, model, modelUri: 'b', rows: 1 };
  const { problems } = await refusal(uri, bytes, () => readManifest(publication));
  expect(problems).toEqual([
    'formatVersion: Invalid input: expected 1',
    'rows: Invalid input: expected int, received number',
  ]);
});

test('a receipt without its statistics is refused by their name', async () => {
  const partId = partIdOf(span, model);
  const uri = receiptUri(root, PARTITION, partId);
  const receipt = { formatVersion: 1, partId, partition: PARTITION, ...span, model, uri, sizeBytes: 1 };
  const { problems } = await refusal(uri, encodeJson({ ...receipt, sha256: 'c' }), () =>
    readReceipt(span, { root, partition: PARTITION, model }),
  );
  expect(problems).toEqual(['statistics: Invalid input: expected object, received undefined']);
});

it('names the place of a problem within a plan down to the span', async () => {
  const uri = joinUri(root, 'plan.json');
  const plan = planOf([10, 20]);
  const [first, second] = plan.partitions[0]!.spans;
  const partitions = [{ ...plan.partitions[0]!, spans: [first, { ...second, rows: -1 }] }];
  const { problems } = await refusal(uri, encodeJson({ ...plan, partitions }), () => readRunPlan(uri));
  expect(problems).toEqual([expect.stringMatching(/^partitions\.0\.spans\.1\.rows: Too small/)]);
});
