import { Ncs4cvrError } from '../base/errors.ts';
import { NO_LAYOUT } from '../job/partitionLayout.ts';
import { storageFor, writeWhole } from '../storage/openStorage.ts';
import { fileName, joinUri } from '../storage/uri.ts';
import { keyNullsText } from './findKeys.ts';
import { folderAdvice } from './guessLayout.ts';
import type { ColumnChoice } from './proposeFeatures.ts';
import type { ColumnRoles } from './proposeRoles.ts';
import { folderOf, MARKER_FILE, type ShardSample } from './sampleShards.ts';

/** Where a proposal was written. */
export interface WrittenProposal {
  readonly configUri: string;
  readonly jobUri: string;
}

const CONFIG_FILE = 'training.jsonc';
const JOB_FILE = 'job.jsonc';

/**
 * Writes a training config and a job document, each choice with what was seen beside it as a comment.
 * @throws Ncs4cvrError INIT_NO_FEATURE; INIT_EXISTS: what somebody may have edited is never overwritten
 */
export async function writeProposal(
  outputUri: string,
  sample: ShardSample,
  roles: ColumnRoles,
  choices: readonly ColumnChoice[],
): Promise<WrittenProposal> {
  await refuseWritten(outputUri);
  const { configUri, jobUri } = proposalAt(outputUri);
  if (choices.every(({ feature }) => feature === undefined)) {
    throw new Ncs4cvrError('INIT_NO_FEATURE', 'no column can be a feature', {
      file: sample.input,
      expected: 'a column of ids, words, numbers or lists that is neither label nor key, with several values',
      found: choices.map(({ column, reason }) => `${column.name} (${oneLine(reason)})`).join('; '),
    });
  }
  const encoder = new TextEncoder();
  await writeWhole(configUri, encoder.encode(trainingConfigText(sample, roles, choices)));
  await writeWhole(jobUri, encoder.encode(jobText(sample, outputUri)));
  return { configUri, jobUri };
}

/**
 * Also called before anything is sampled, which takes its time.
 * @throws Ncs4cvrError INIT_EXISTS
 */
export async function refuseWritten(outputUri: string): Promise<void> {
  for (const uri of Object.values(proposalAt(outputUri))) {
    if (!(await storageFor(uri).exists(uri))) continue;
    throw new Ncs4cvrError('INIT_EXISTS', 'there is a document already', { file: uri });
  }
}

function proposalAt(outputUri: string): WrittenProposal {
  return { configUri: joinUri(outputUri, CONFIG_FILE), jobUri: joinUri(outputUri, JOB_FILE) };
}

function trainingConfigText(
  sample: ShardSample,
  roles: ColumnRoles,
  choices: readonly ColumnChoice[],
): string {
  const { click, conversion, user, keys } = roles;
  const features = choices.filter(({ feature }) => feature !== undefined);
  const left = choices.filter(({ feature, column }) => feature === undefined && !keys.includes(column));
  const lines = features.map(({ feature, reason, column }, index) => {
    const comma = index + 1 < features.length ? ',' : '';
    return `      ${json(feature)}${comma} // ${oneLine(`${column.type}; ${nullsOf(column)}${reason}`)}`;
  });
  return `// A proposal, made from ${sample.sampledRows} rows of ${sample.sampledShards} of ${sample.shardCount} shards of
// ${oneLine(sample.input)}. Read it, and change what you know better: docs/features.md and docs/training.md explain every key.
{
  "contract": {
    "contractVersion": 1,
    // Copied to the scores, to join them by. ${keysText(roles)}
    "rowKeys": ${json(keys.map(({ name }) => name))},
    "features": [
${lines.join('\n')}
    ]
    // Left out:
${left.map(({ column, reason }) => `    //   ${oneLine(`${column.name} (${column.type}): ${reason}`)}`).join('\n')}
  },
  // Clicks: ${shareOf(click.values)} of the sampled rows. Conversions: ${shareOf(conversion.values.filter((_, row) => click.values[row] === 1))} of the clicked ones.
  "labels": { "click": ${json(click.label)}, "conversion": ${json(conversion.label)}${user ? `, "user": ${json(user.name)}` : ''} },
${splitText(sample)}
  "training": { "seed": 1, "epochs": 2 }
}
`;
}

function keysText(roles: ColumnRoles): string {
  const nulls = keyNullsText(roles.keys);
  return nulls === '' ? uniquenessOf(roles) : `${uniquenessOf(roles)}\n    // ${oneLine(nulls)}.`;
}

function uniquenessOf({ areKeysUnique, copies }: ColumnRoles): string {
  if (areKeysUnique) return 'No two sampled rows have the same.';
  if (copies > 0) return `${copies} sampled rows are whole copies of others: was a shard written twice?`;
  return 'SEVERAL sampled rows have the same: scores of such rows can not be told apart. Name better ones.';
}

function splitText({ days, layout }: ShardSample): string {
  if (days.length < 2) {
    return `  // ${days.length === 0 ? 'No folder names a day' : 'There is one day only'}, so the last fifth of the rows in file order is for validation. \`compare\` wants a
  // "report" as well: a share of the rows that nothing is trained or chosen on.
  "split": { "by": "fraction", "validation": 0.2 },`;
  }
  const [validation, lastTrained] = [days.at(-1)!, days.at(-2)!];
  return `  // ${days.length} days from ${days[0]} to ${validation}: the last one is for validation, as tomorrow is what will be scored. \`compare\` wants
  // a "report" as well: days that nothing is trained or chosen on.
  "split": {
    "by": "date",
    "partitions": ${json(layout)},
    "train": ${json({ from: days[0], to: lastTrained })},
    "validation": ${json({ from: validation, to: validation })}
  },`;
}

/** What the writers of the sampled shards leave when they are done. */
function proposeCompleteness({ markers, layout }: ShardSample) {
  if (markers === 'all') {
    const found = `Every sampled folder has a ${MARKER_FILE}: a partition without one is still landing.`;
    return { found, setting: { kind: 'marker', file: MARKER_FILE } };
  }
  const seen = markers === 'some' ? ` Some sampled folders have a ${MARKER_FILE}, others have none.` : '';
  const when =
    layout === undefined
      ? 'The input is always complete.'
      : 'A partition is complete with the end of its day.';
  return {
    found: `${when}${seen} Writers that leave a file last: { "kind": "marker", "file": "_SUCCESS" }.`,
    setting: { kind: 'none' },
  };
}

function jobText(sample: ShardSample, outputUri: string): string {
  const { input, isFile, layout, days } = sample;
  const completeness = proposeCompleteness(sample);
  const found =
    layout === undefined
      ? 'No folders of the form key=value were found: all of the input is one partition, named all.'
      : `Folders of the shards; ${days.length === 0 ? 'none names a day' : `${days.length} days were found`}.`;
  const advice = folderAdvice(sample);
  return `// What a nightly run scores, with which model, and when a partition is ready: docs/operations.md.
{
  "jobVersion": 1,
  "input": ${json(isFile ? folderOf(input) : input)},${isFile ? `\n  "shardPattern": ${json(fileName(input))},` : ''}
  "scores": ${json(joinUri(outputUri, 'scores'))},
  "model": ${json(joinUri(outputUri, 'model'))},
  // ${found}${advice === undefined ? '' : ` ${advice}`}
  "partitions": ${json(layout ?? NO_LAYOUT)},
  // ${completeness.found}
  "completeness": ${json(completeness.setting)}
}
`;
}

/** A name or value with a line break in it would end the comment. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (sign) => JSON.stringify(sign).slice(1, -1));
}

/** On one line, with spaces where people put them; line breaks are never within a string. */
function json(value: unknown): string {
  return JSON.stringify(value, null, 1)
    .replace(/\[\n\s*/g, '[')
    .replace(/\n\s*\]/g, ']')
    .replace(/\n\s*/g, ' ');
}

function nullsOf({ nulls, values }: ColumnChoice['column']): string {
  return nulls === 0 ? '' : `${((100 * nulls) / values.length).toPrecision(2)}% null; `;
}

function shareOf(values: readonly unknown[]): string {
  const known = values.filter((value) => value !== null).map(Number);
  const sum = known.reduce((a, b) => a + b, 0);
  return known.length === 0 ? 'none' : `${((100 * sum) / known.length).toPrecision(3)}%`;
}
