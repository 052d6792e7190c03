import { Command, Option } from 'commander';
import { collectGarbage, LEAST_GARBAGE_DAYS } from '../publish/collectGarbage.ts';
import { EXIT_DONE } from './exitCodes.ts';
import { parseUri } from './parseUri.ts';
import { formatCount } from './progressLine.ts';
import { wholeNumber } from './wholeNumber.ts';

interface GcOptions {
  readonly scores: string;
  readonly days: number;
  readonly apply?: boolean;
}

export function gcCommand(finish: (exitCode: number) => void): Command {
  return new Command('gc')
    .description('list, and with --apply delete, what no published state or its history needs')
    .requiredOption('--scores <uri>', 'output root of the published scores', parseUri)
    .addOption(
      new Option('--days <n>', 'leave what is younger')
        .default(30)
        .argParser(wholeNumber(LEAST_GARBAGE_DAYS, 36_500)),
    )
    .option('--apply', 'delete; parts go in a call a day after their receipts')
    .action(async ({ scores, days, apply = false }: GcOptions) => {
      const { files, sizeBytes, condemnedParts } = await collectGarbage(scores, {
        olderThanDays: days,
        apply,
        nowMillis: Date.now(),
      });
      for (const { uri } of files) process.stdout.write(`${uri}\n`);
      process.stderr.write(
        `${files.length} objects, ${formatCount(sizeBytes)} bytes ${apply ? 'deleted' : 'would be deleted'}; ` +
          `${condemnedParts} parts a day after that\n`,
      );
      finish(EXIT_DONE);
    });
}
