import { Command } from 'commander';
import { counted } from '../base/formatCount.ts';
import { shellWord } from '../base/shellWord.ts';
import { formatTable } from '../base/textTable.ts';
import type { SampledValue } from '../init/columnSample.ts';
import { keyNullsText } from '../init/findKeys.ts';
import { folderAdvice } from '../init/guessLayout.ts';
import { type ColumnChoice, proposeFeatures } from '../init/proposeFeatures.ts';
import { type ColumnRoles, proposeRoles } from '../init/proposeRoles.ts';
import { type ShardSample, sampleShards } from '../init/sampleShards.ts';
import { refuseWritten, type WrittenProposal, writeProposal } from '../init/writeProposal.ts';
import { isFileList } from '../job/jobInput.ts';
import type { ShardInput } from '../storage/listShards.ts';
import { joinUri } from '../storage/uri.ts';
import { filesOption, notEmpty, parseUri, shardInput } from './options.ts';
import { EXIT_DONE, EXIT_USAGE, printJson } from './terminal.ts';

interface InitOptions {
  readonly sample?: string;
  readonly files?: string;
  readonly output: string;
  readonly click?: string;
  readonly conversion?: string;
  readonly keys?: string[];
  readonly json?: boolean;
}

export function initCommand(finish: (exitCode: number) => void): Command {
  return new Command('init')
    .description('look at Parquet shards and propose a training config and a job document for them')
    .option('--sample <uri>', 'a labelled shard, or a folder of shards', parseUri)
    .addOption(filesOption())
    .option('--output <dir>', 'folder of the documents; none of them may exist', parseUri, 'ncs4cvr')
    .option(
      '--click <column>',
      'click label; guessed by name; COLUMN=VALUE:LABEL,... says what its values mean',
      notEmpty('a column'),
    )
    .option('--conversion <column>', 'conversion label, in the same way', notEmpty('a column'))
    .option('--keys <columns...>', 'columns that name a row; guessed by names and values', addColumn)
    .option('--json', 'print the result as one JSON object')
    .action(async ({ sample: folder, files, output, json, ...given }: InitOptions, command: Command) => {
      const input = shardInput(command, { sample: folder, files });
      if (files !== undefined && !isFileList(files)) {
        const endings = 'a job knows a list by its name, which ends with .txt, .json or .manifest';
        command.error(`error: --files ${files}: ${endings}`, { exitCode: EXIT_USAGE });
      }
      await refuseWritten(output);
      const sample = await sampleShards(input);
      const roles = proposeRoles(sample, given);
      const choices = proposeFeatures(sample, roles);
      const written = await writeProposal(output, sample, roles, choices);
      const model = joinUri(output, 'model');
      const next = `ncs4cvr train ${shellWord(written.configUri)} ${dataOption(input)} --output ${shellWord(model)}`;
      const columns = choices.map((choice) => columnUse(choice, roles));
      const proposal = { sample, roles, columns, written, next };
      if (json) printJson(proposalJson(proposal));
      else process.stdout.write(proposalText(proposal));
      finish(EXIT_DONE);
    });
}

/** As `train` takes it. */
function dataOption(input: ShardInput): string {
  return typeof input === 'string' ? `--data ${shellWord(input)}` : `--files ${shellWord(input.filesUri)}`;
}

/** What was proposed, and the command that comes next. */
interface Proposal {
  readonly sample: ShardSample;
  readonly roles: ColumnRoles;
  readonly columns: readonly ColumnUse[];
  readonly written: WrittenProposal;
  readonly next: string;
}

/** A line of the table, in the order of its columns. */
type ColumnUse = Readonly<Record<'column' | 'type' | 'use' | 'seen', string>>;

function columnUse({ column, feature, reason }: ColumnChoice, { keys }: ColumnRoles): ColumnUse {
  return {
    column: column.name,
    type: column.type,
    use: keys.includes(column) && feature === undefined ? 'key' : String(feature?.kind ?? '-'),
    seen: reason,
  };
}

function proposalJson({ sample, roles, columns, written, next }: Proposal): object {
  const { shardCount, sampledShards, sampledRows, ignored, broken, layout = null, days } = sample;
  return {
    config: written.configUri,
    job: written.jobUri,
    next,
    ...{ shardCount, sampledShards, sampledRows, ignored, broken, layout, days },
    rowKeys: roles.keys.map(({ name }) => name),
    areKeysUnique: roles.areKeysUnique,
    copies: roles.copies,
    columns,
  };
}

function proposalText({ sample, roles, columns, written, next }: Proposal): string {
  const { shardCount, sampledShards, sampledRows, ignored, broken, layout, days } = sample;
  const advice = folderAdvice(sample);
  return (
    `${formatTable([['column', 'type', 'use', 'seen'], ...columns.map((column) => Object.values(column))])}\n\n` +
    `${counted(sampledRows, 'row')} of ${sampledShards} of ${counted(shardCount, 'shard')}; ` +
    `${layout === undefined ? 'no partitions: all of the input is one, named all' : `partitions ${layout}, ${counted(days.length, 'day')}`}\n` +
    `${ignored.length === 0 ? '' : `passed over: ${counted(ignored.length, 'file')} that ${ignored.length === 1 ? "isn't" : "aren't"} Parquet, such as ${ignored[0]}\n`}` +
    lineOf(advice ?? '') +
    broken.map((message) => `passed over, broken: ${message}\n`).join('') +
    `${withoutPositives(roles)}row keys ${roles.keys.map(({ name }) => name).join(', ')}${uniqueness(roles)}\n` +
    lineOf(keyNullsText(roles.keys)) +
    `wrote ${written.configUri} and ${written.jobUri}: read them, then\n\n  ${next}\n`
  );
}

/** `train` refuses such a table, but a sample may miss what is rare. */
function withoutPositives({ click, conversion }: ColumnRoles): string {
  const isPositive = (value: SampledValue | null) => typeof value === 'number' && value > 0;
  const missing = [
    ...(click.values.some(isPositive) ? [] : ['click']),
    ...(conversion.values.some(isPositive) ? [] : ['conversion']),
  ];
  return missing.map((task) => `no sampled row has a ${task}: train needs some\n`).join('');
}

function lineOf(text: string): string {
  return text === '' ? '' : `${text}\n`;
}

function addColumn(text: string, before: readonly string[] = []): string[] {
  return [...before, notEmpty('a column')(text)];
}

function uniqueness({ areKeysUnique, copies }: ColumnRoles): string {
  if (areKeysUnique) return '';
  return copies > 0
    ? ` (NOT unique: ${counted(copies, 'sampled row')} ${copies === 1 ? 'is a whole copy' : 'are whole copies'} of another; was a shard written twice?)`
    : ' (NOT unique in the sample: name better ones with --keys)';
}
