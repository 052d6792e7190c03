import { expect, it, test } from 'vitest';
import { sha256 } from '../../lib/base/digest.ts';
import type { ProblemsError } from '../../lib/base/errors.ts';
import { encodeJson } from '../../lib/base/jsonDocument.ts';
import { remedyOf } from '../../lib/cli/remedies.ts';
import { readManifest } from '../../lib/publish/manifest.ts';
import { below, manifestPath, pointerPath, receiptPath } from '../../lib/publish/outputLayout.ts';
import { readPointer } from '../../lib/publish/pointer.ts';
import { readReceipt } from '../../lib/publish/receipt.ts';
import { readRunPlan } from '../../lib/publish/runPlan.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { partsOf, planOf } from './planOf.ts';

const root = temporaryFolder();
const PARTITION = 'dt=2024-03-09';
const model = { version: 'v', sha256: 'a', contractFingerprint: 'b' };

/** Writes `bytes` to `uri`; the error of reading it. */
async function refusal(
  uri: string,
  bytes: Uint8Array,
  read: () => Promise<unknown>,
  code = 'PUBLISH_DOCUMENT_INVALID',
): Promise<ProblemsError> {
  await writeWhole(uri, bytes);
  try {
    await read();
  } catch (error) {
    expect(error).toMatchObject({ code, location: { file: uri } });
    return error as ProblemsError;
  }
  throw new Error('the document was taken');
}

test('a damaged pointer is refused in readable lines: the file, then every problem with its place', async () => {
  const uri = below(root, pointerPath(PARTITION));
  const damaged = {
    formatVersion: 4,
    partition: PARTITION,
    generation: 0,
    modelSince: 1,
    current: { manifest: 'm', sha256: 5, model, modelUri: 'b', rows: 1, audit: 'a' },
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
  const uri = below(root, pointerPath(PARTITION));
  const cut = new TextEncoder().encode('{"formatVersion": 4,');
  const { message } = await refusal(uri, cut, () => readPointer(root, PARTITION));
  expect(message).toMatch(/^PUBLISH_DOCUMENT_INVALID: .*dt=2024-03-09\.json: not JSON: [^\n]+$/);
});

test('a manifest of no known format is refused by the names of its fields, though its digest is right', async () => {
  const bytes = encodeJson({
    formatVersion: '4',
    partition: PARTITION,
    runId: 'r',
    model,
    rows: 1.5,
    deadLetteredRows: 0,
    parts: [],
    broken: [],
  });
  const digest = sha256(bytes);
  const manifest = manifestPath(PARTITION, digest);
  const read = () => readManifest(root, { manifest, sha256: digest });
  const { problems } = await refusal(below(root, manifest), bytes, read);
  expect(problems).toEqual([
    'formatVersion: Invalid input: expected 4',
    'rows: Invalid input: expected int, received number',
  ]);
});

test('a receipt without its scored rows, dead letters, statistics, profile, worst spans and keys is refused by their names', async () => {
  const [part] = partsOf([5]);
  const uri = below(root, receiptPath(PARTITION, part!.partId, 1));
  const receipt = { formatVersion: 4, ...part, partition: PARTITION, model, path: 'p', sizeBytes: 1 };
  const { problems } = await refusal(uri, encodeJson({ ...receipt, sha256: 'c' }), () =>
    readReceipt(part!.partId, 1, { root, partition: PARTITION }),
  );
  expect(problems).toEqual([
    'scoredRows: Invalid input: expected number, received undefined',
    'deadLetters: Invalid input: expected object, received undefined',
    'statistics: Invalid input: expected object, received undefined',
    'profile: Invalid input: expected object, received undefined',
    'worstSpans: Invalid input: expected array, received undefined',
    'keys: Invalid input: expected object, received undefined',
  ]);
});

it('names the place of a problem within a plan down to the row count of a span', async () => {
  const uri = joinUri(root, 'plan.json');
  const plan = planOf([10, 20]);
  const [first, second] = plan.partitions[0]!.parts;
  const spans = [{ ...second!.spans[0]!, rows: -1, shard: '../a' }];
  const partitions = [
    { ...plan.partitions[0]!, partition: 'dt=1/../..', parts: [first, { ...second, spans }] },
  ];
  const { problems } = await refusal(
    uri,
    encodeJson({ ...plan, partitions }),
    () => readRunPlan(uri),
    'PLAN_INVALID',
  );
  expect(problems).toEqual([
    'partitions.0.partition: expected a path within a folder',
    'partitions.0.parts.1.spans.0.shard: expected a path within a folder',
    expect.stringMatching(/^partitions\.0\.parts\.1\.spans\.0\.rows: Too small/),
  ]);
});

it.each([
  ['pointer', pointerPath(PARTITION), (place: { root: string }) => readPointer(place.root, PARTITION)],
  [
    'receipt',
    receiptPath(PARTITION, 'p', 1),
    (place: { root: string }) => readReceipt('p', 1, { ...place, partition: PARTITION }),
  ],
])(
  'a %s of each format before is refused by a code of its own that says what to do',
  async (_, path, read) => {
    for (const formatVersion of [1, 2, 3]) {
      const old = { root: joinUri(root, `old-${formatVersion}`) };
      await writeWhole(below(old.root, path), encodeJson({ formatVersion, partition: PARTITION, uri: 'x' }));
      await expect(read(old)).rejects.toMatchObject({
        code: 'PUBLISH_ROOT_OUTDATED',
        location: { file: below(old.root, path) },
        message: expect.stringMatching(
          RegExp(`publish into a new output root.*expected format version 4, found ${formatVersion}`),
        ),
      });
    }
  },
);

it('a pointer of a later format is not called damaged: removing it, as the advice for damage is, would lose what readers see', async () => {
  const later = { root: joinUri(root, 'later') };
  const file = below(later.root, pointerPath(PARTITION));
  await writeWhole(file, encodeJson({ formatVersion: 5, partition: PARTITION, uri: 'x' }));
  await expect(readPointer(later.root, PARTITION)).rejects.toMatchObject({
    code: 'PUBLISH_ROOT_NEWER',
    location: { file },
    message: expect.stringMatching(/use that version.*expected format version 4, found 5/),
  });
  expect(remedyOf('PUBLISH_ROOT_NEWER')).toMatch(/remove nothing/);
});

it.each([4, 6])('a plan of format %i is refused as the work of another version', async (formatVersion) => {
  const uri = joinUri(root, `plan-${formatVersion}.json`);
  await writeWhole(uri, encodeJson({ ...planOf([10]), formatVersion }));
  await expect(readRunPlan(uri)).rejects.toMatchObject({
    code: 'PLAN_OTHER_VERSION',
    location: { file: uri },
    message: expect.stringMatching(`expected format version 5, found ${formatVersion}`),
  });
});
