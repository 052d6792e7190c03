import { Command } from 'commander';
import { formatTable } from '../base/textTable.ts';
import { proposeFeatures } from '../init/proposeFeatures.ts';
import { type ColumnRoles, proposeRoles } from '../init/proposeRoles.ts';
import { sampleShards } from '../init/sampleShards.ts';
import { datedFolderAdvice, strayFolderAdvice, writeProposal } from '../init/writeProposal.ts';
import { joinUri } from '../storage/uri.ts';
import { notEmpty, parseUri } from './options.ts';
import { counted, EXIT_DONE, printJson } from './terminal.ts';

interface InitOptions {
  readonly sample: string;
  readonly output: string;
  readonly click?: string;
  readonly conversion?: string;
  readonly keys?: string[];
  readonly json?: boolean;
}

export function initCommand(finish: (exitCode: number) => void): Command {
  return new Command('init')
    .description('look at Parquet shards and propose a training config and a job document for them')
    .requiredOption('--sample <uri>', 'a labelled shard, or a folder of shards', parseUri)
    .option('--output <dir>', 'folder of the documents; none of them may exist', parseUri, 'ncs4cvr')
    .option(
      '--click <column>',
      'click label; guessed by name; COLUMN=VALUE:LABEL,... says what its values mean',
      notEmpty('a column'),
    )
    .option('--conversion <column>', 'conversion label, in the same way', notEmpty('a column'))
    .option('--keys <columns...>', 'columns that name a row; guessed by names and values', addColumn)
    .option('--json', 'print the result as one JSON object')
    .action(async ({ sample: input, output, json, ...given }: InitOptions) => {
      const sample = await sampleShards(input);
      const roles = proposeRoles(sample, given);
      const choices = proposeFeatures(sample, roles);
      const { configUri, jobUri } = await writeProposal(output, sample, roles, choices);
      const model = joinUri(output, 'model');
      const next = `ncs4cvr train ${quoted(configUri)} --data ${quoted(input)} --output ${quoted(model)}`;
      const columns = choices.map(({ column, feature, reason }) => ({
        column: column.name,
        type: column.type,
        use: roles.keys.includes(column) && feature === undefined ? 'key' : String(feature?.kind ?? '-'),
        seen: reason,
      }));
      const {
        shardCount,
        sampledShards,
        sampledRows,
        ignored,
        broken,
        layout,
        days,
        datedFolder,
        strayFolder,
      } = sample;
      if (json) {
        const facts = {
          shardCount,
          sampledShards,
          sampledRows,
          ignored,
          broken,
          layout: layout ?? null,
          days,
        };
        const { keys, areKeysUnique, copies } = roles;
        printJson({
          config: configUri,
          job: jobUri,
          next,
          ...facts,
          rowKeys: keys.map(({ name }) => name),
          areKeysUnique,
          copies,
          columns,
        });
      } else {
        process.stdout.write(
          `${formatTable([['column', 'type', 'use', 'seen'], ...columns.map((column) => Object.values(column))])}\n\n` +
            `${counted(sampledRows, 'row')} of ${sampledShards} of ${counted(shardCount, 'shard')}; ` +
            `${layout === undefined ? 'no partitions: all of the input is one, named all' : `partitions ${layout}, ${counted(days.length, 'day')}`}\n` +
            `${ignored.length === 0 ? '' : `passed over: ${counted(ignored.length, 'file')} that ${ignored.length === 1 ? "isn't" : "aren't"} Parquet, such as ${ignored[0]}\n`}` +
            `${datedFolder === undefined ? '' : `${datedFolderAdvice(datedFolder)}\n`}` +
            `${strayFolder === undefined ? '' : `${strayFolderAdvice(strayFolder)}\n`}` +
            broken.map((message) => `passed over, broken: ${message}\n`).join('') +
            `row keys ${roles.keys.map(({ name }) => name).join(', ')}${uniqueness(roles)}\n` +
            `wrote ${configUri} and ${jobUri}: read them, then\n\n  ${next}\n`,
        );
      }
      finish(EXIT_DONE);
    });
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

/** For a shell. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
