import { Command, Option } from 'commander';
import { readPrices } from '../estimate/readPrices.ts';
import { readPartition } from '../report/readPartition.ts';
import { writeWhole } from '../storage/openStorage.ts';
import { parseUri } from './options.ts';
import { EXIT_DONE, EXIT_USAGE } from './terminal.ts';

interface ReportOptions {
  readonly scores?: string;
  readonly partition?: string;
  readonly prices?: string;
  readonly output: string;
  readonly json?: boolean;
}

export function reportCommand(finish: (exitCode: number) => void): Command {
  return new Command('report')
    .description('write a page that tells what is recorded of a published partition')
    .option('--scores <uri>', 'output root of the published scores', parseUri)
    .option('--partition <name>', 'such as dt=2022-05-06')
    .addOption(
      new Option('--prices <file>', 'what costs are counted with, instead of infra/prices.json').argParser(
        parseUri,
      ),
    )
    .requiredOption('--output <file>', 'the page: one HTML file without scripts', parseUri)
    .option('--json', 'print what the page is made of as one JSON object')
    .action(async (options: ReportOptions, command: Command) => {
      const { scores, partition, prices, output, json = false } = options;
      if (scores === undefined || partition === undefined) {
        command.error('error: --scores and --partition are needed', { exitCode: EXIT_USAGE });
      }
      const record = await readPartition(scores, partition);
      const { partitionReport } = await import('../report/runReport.ts');
      await writePage(output, partitionReport(record, await readPrices(prices)));
      process.stdout.write(json ? `${JSON.stringify(record)}\n` : `${output}\n`);
      finish(EXIT_DONE);
    });
}

/** A page, whole or not at all. */
export async function writePage(uri: string, page: string): Promise<void> {
  await writeWhole(uri, new TextEncoder().encode(page));
}
