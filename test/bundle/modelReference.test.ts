import { createHash } from 'node:crypto';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ProblemsError } from '../../lib/base/errors.ts';
import { loadBundle } from '../../lib/bundle/loadBundle.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { type TinyModel, trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
let tiny: TinyModel;
let copies = 0;

beforeAll(async () => {
  tiny = await trainTinyModel(folder, { config: { slices: ['hour', 'price'] } });
});

/** A JSON value that a test changes; its shape is what the reference's schema says. */
type Reference = {
  rows: number;
  days: { day: string; rows: number }[];
  features: {
    name: string;
    bins: { kind: string; ends: number[] };
    values: number;
    missing: number;
    unseen: number;
    counts: number[];
    spread: Record<string, number>;
  }[];
  scores: Record<string, { mean: number; counts: number[]; meanRatio: number; psi: number }>;
  slices: {
    name: string;
    ids: number[];
    values: string[];
    slices: { rows: number; pctr: number | null; pcvr: number | null }[];
  }[];
  rates: Record<string, number>;
  [key: string]: unknown;
};

function copied(): string {
  const copy = join(folder, `copy-${copies++}`);
  cpSync(tiny.bundleUri, copy, { recursive: true });
  return copy;
}

/** Replaces the reference and makes size and checksum right again. */
function forged(text: string): string {
  const copy = copied();
  writeFileSync(join(copy, 'reference.json'), text);
  const file = join(copy, 'bundle.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8'));
  manifest.files['reference.json'] = {
    sizeBytes: Buffer.byteLength(text),
    sha256: createHash('sha256').update(text).digest('hex'),
  };
  writeFileSync(file, JSON.stringify(manifest));
  return copy;
}

async function problemsOf(change: (reference: Reference) => void): Promise<readonly string[]> {
  const reference = JSON.parse(readFileSync(join(tiny.bundleUri, 'reference.json'), 'utf8')) as Reference;
  change(reference);
  const copy = forged(JSON.stringify(reference));
  const error = await loadBundle(localDisk, copy).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: 'BUNDLE_REFERENCE_INVALID',
    location: { file: join(copy, 'reference.json') },
  });
  return (error as ProblemsError).problems;
}

/** Of TINY_CONFIG, by the order in which the encoder counts. */
const [USER, PRICE, TAGS, AGE] = [0, 4, 5, 7];

describe('a reference', () => {
  it('is loaded with its bundle as it was written', async () => {
    const { reference } = await loadBundle(localDisk, copied());
    expect(reference).toEqual(JSON.parse(readFileSync(join(tiny.bundleUri, 'reference.json'), 'utf8')));
    expect(reference!.features.map(({ name }) => name)).toEqual([
      'user_id',
      'item_id',
      'device',
      'hour',
      'price',
      'tags',
      'recent_item_ids',
      'age',
      'log_price',
    ]);
  });

  it('may be absent from a bundle, which then has none', async () => {
    const copy = copied();
    rmSync(join(copy, 'reference.json'));
    const file = join(copy, 'bundle.json');
    const manifest = JSON.parse(readFileSync(file, 'utf8'));
    delete manifest.files['reference.json'];
    writeFileSync(file, JSON.stringify(manifest));
    const bundle = await loadBundle(localDisk, copy);
    expect(bundle.reference).toBeUndefined();
    expect(bundle.model).toEqual(tiny.bundle.model);
  });

  it('that is missing, cut short or changed makes the bundle corrupt', async () => {
    const missing = copied();
    rmSync(join(missing, 'reference.json'));
    const changed = copied();
    const text = readFileSync(join(changed, 'reference.json'), 'utf8');
    writeFileSync(join(changed, 'reference.json'), text.replace('"psi": 0', '"psi": 1'));
    const short = copied();
    writeFileSync(join(short, 'reference.json'), text.slice(0, -2));
    for (const [copy, problem] of [
      [missing, /^reference\.json: STORAGE_NOT_FOUND/],
      [changed, /^reference\.json: expected sha256 /],
      [short, /^reference\.json: expected \d+ bytes, found \d+$/],
    ] as const) {
      await expect(loadBundle(localDisk, copy)).rejects.toMatchObject({
        code: 'BUNDLE_CORRUPT',
        problems: expect.arrayContaining([expect.stringMatching(problem)]),
      });
    }
  });
});

describe('a reference with a right checksum is refused', () => {
  it.each(['', '{"referenceVersion": 1', '[]', 'null', '{}'])('when it is %j', async (text) => {
    await expect(loadBundle(localDisk, forged(text))).rejects.toMatchObject({
      code: 'BUNDLE_REFERENCE_INVALID',
    });
  });

  it.each<[string, RegExp, (reference: Reference) => void]>([
    ['another version', /^referenceVersion: /, (r) => (r.referenceVersion = 2)],
    ['an unknown key', /"comment"/, (r) => (r.comment = 'hello')],
    ['other rows', /^features\.user_id\.values: expected 1501, found 1500$/, (r) => r.rows++],
    ['days that are none', /^days\.0\.day: /, (r) => (r.days[0]!.day = '2024-02-30')],
    ['days out of order', /^days: expected ascending days$/, (r) => r.days.reverse()],
    ['a feature less', /^features: expected user_id, item_id, .*; found /, (r) => r.features.pop()],
    ['features in another order', /^features: expected /, (r) => r.features.reverse()],
    ['another feature', /^features: expected /, (r) => (r.features[USER]!.name = 'nobody')],
    [
      'bins of another kind',
      /^features\.age\.bins: expected numbers, found ids$/,
      (r) => (r.features[AGE]!.bins = { kind: 'ids', ends: [1] }),
    ],
    [
      'ends that fall',
      /^features\.age\.bins\.ends: expected ascending ends$/,
      (r) => r.features[AGE]!.bins.ends.reverse(),
    ],
    [
      'ids that the table lacks',
      /^features\.price\.bins\.ends: expected ids up to 6, found 8$/,
      (r) => r.features[PRICE]!.bins.ends.splice(-1, 1, 8),
    ],
    [
      'more bins than are allowed',
      /^features\.age\.bins\.ends: expected fewer than 12, found 12$/,
      (r) => {
        r.features[AGE]!.bins.ends.push(1e9);
        r.features[AGE]!.counts.push(0);
      },
    ],
    [
      'a bin without a count',
      /^features\.user_id\.counts: expected 12, one for each bin, found 11$/,
      (r) =>
        r.features[USER]!.counts.splice(0, 2, r.features[USER]!.counts[0]! + r.features[USER]!.counts[1]!),
    ],
    [
      'a count that is one too many',
      /^features\.user_id\.counts: expected \d+ values in all bins, found \d+$/,
      (r) => r.features[USER]!.counts[3]!++,
    ],
    ['a missing value too many', /^features\.user_id\.counts: expected /, (r) => r.features[USER]!.missing++],
    ['an unseen value too many', /^features\.tags\.counts: expected /, (r) => r.features[TAGS]!.unseen++],
    [
      'more rows without a list value than there are',
      /^features\.tags\.missing: expected at most 1500, found 1501$/,
      (r) => (r.features[TAGS]!.missing = 1501),
    ],
    ['other values of a list', /^features\.tags\.counts: expected /, (r) => r.features[TAGS]!.values++],
    ['a negative spread', /^features\.0\.spread\.psi: /, (r) => (r.features[USER]!.spread.psi = -1)],
    ['a missing spread', /^features\.0\.spread\.unseen: /, (r) => delete r.features[USER]!.spread.unseen],
    ['a mean above 1', /^scores\.pcvr\.mean: /, (r) => (r.scores.pcvr!.mean = 1.5)],
    ['a ratio below 1', /^scores\.pctr\.meanRatio: /, (r) => (r.scores.pctr!.meanRatio = 0.5)],
    ['a score bin less', /^scores\.pctr\.counts: /, (r) => r.scores.pctr!.counts.pop()],
    [
      'a scored row more',
      /^scores\.pctcvr\.counts: expected 1500 rows, found 1501$/,
      (r) => r.scores.pctcvr!.counts[60]!++,
    ],
    [
      'slices of a list',
      /^slices\.tags: expected a categorical or bucketed feature$/,
      (r) => (r.slices[0]!.name = 'tags'),
    ],
    ['slices of one feature twice', /^slices\.hour: listed twice$/, (r) => r.slices.push(r.slices[0]!)],
    [
      'a slice twice',
      /^slices\.hour\.ids: an id is listed twice$/,
      (r) => (r.slices[0]!.ids[1] = r.slices[0]!.ids[0]!),
    ],
    [
      'a slice of an id that the table lacks',
      /^slices\.price\.ids: expected ids up to 6, found 99$/,
      (r) => (r.slices[1]!.ids[0] = 99),
    ],
    [
      'too many slices',
      /^slices\.hour\.ids: expected at most 20, found 21$/,
      (r) => r.slices[0]!.ids.push(24),
    ],
    [
      'a slice without its name',
      /^slices\.hour\.values: expected none or 20, found 19$/,
      (r) => r.slices[0]!.values.pop(),
    ],
    [
      'a slice without its scores',
      /^slices\.hour\.slices: expected 21, found 20$/,
      (r) => r.slices[0]!.slices.pop(),
    ],
    [
      'a slice with a row more',
      /^slices\.hour\.slices: expected 1500 rows in all, found 1501$/,
      (r) => r.slices[0]!.slices[0]!.rows++,
    ],
    [
      'a slice of rows without a mean',
      /^slices\.price\.slices: expected mean scores where there are rows, and nowhere else$/,
      (r) => (r.slices[1]!.slices[0]!.pcvr = null),
    ],
    ['a rate above 1', /^rates\.click: /, (r) => (r.rates.click = 1.01)],
    ['no share of repeated keys', /^repeatedKeys: /, (r) => delete r.repeatedKeys],
  ])('for %s', async (_title, problem, change) => {
    const problems = await problemsOf(change);
    expect(problems.join('\n')).toMatch(new RegExp(problem.source, 'm'));
  });

  it('with all problems at once', async () => {
    const problems = await problemsOf((r) => {
      r.days.reverse();
      r.features[USER]!.counts[0]!++;
      r.scores.pctr!.counts[0]!++;
      r.slices[0]!.ids[0] = 99;
    });
    expect(problems.map((problem) => problem.split(':')[0])).toEqual([
      'features.user_id.counts',
      'slices.hour.ids',
      'days',
      'scores.pctr.counts',
    ]);
  });
});
