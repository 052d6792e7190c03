import { Command, Option } from 'commander';
import { TASKS } from '../base/tasks.ts';
import { loadBundle } from '../bundle/loadBundle.ts';
import { plainModel } from '../bundle/plainModel.ts';
import type { StoredElement } from '../bundle/safetensors.ts';
import { gatheredModel } from '../bundle/scoringSession.ts';
import type { Accuracy } from '../quantise/accuracy.ts';
import { exportSmaller } from '../quantise/exportSmaller.ts';
import { storageFor, writeWhole } from '../storage/openStorage.ts';
import { filesOption, parseUri, shardInput } from './options.ts';
import { EXIT_DONE, EXIT_USAGE, formatMetric, printJson, printNote } from './terminal.ts';

interface ExportOptions {
  readonly output?: string;
  readonly plain?: string;
  readonly int8?: boolean;
  readonly tables: keyof typeof TABLE_TYPES;
  readonly data?: string;
  readonly files?: string;
  readonly json?: boolean;
}

const TABLE_TYPES = { fp32: 'F32', fp16: 'F16', int8: 'I8' } as const satisfies Record<string, StoredElement>;

export function exportCommand(finish: (exitCode: number) => void): Command {
  return new Command('export')
    .description(
      'make a smaller, faster bundle of a bundle, unless its scores would change; or one ordinary ONNX file',
    )
    .argument('<bundle>', 'the bundle as it was trained', parseUri)
    .option('--output <dir>', 'folder of the new bundle; must not hold one', parseUri)
    .option('--plain <file>', 'write the model with its embeddings as one ONNX file instead', parseUri)
    .option('--int8', 'compute the dense layers in 8-bit integers, fitted on training rows')
    .addOption(
      new Option('--tables <type>', 'numbers of the embedding tables')
        .choices(Object.keys(TABLE_TYPES))
        .default('fp32'),
    )
    .option('--data <uri>', 'folder of the shards that the bundle was trained on', parseUri)
    .addOption(filesOption())
    .option('--json', 'print the result as one JSON object')
    .action(async (bundleUri: string, options: ExportOptions, command: Command) => {
      const { output, plain, int8 = false, tables, data, files, json } = options;
      const usage = (text: string) => command.error(`error: ${text}`, { exitCode: EXIT_USAGE });
      const isSmaller = int8 || tables !== 'fp32';
      if (plain !== undefined) {
        if ((output ?? data ?? files) !== undefined || isSmaller)
          usage('--plain goes without --output, --int8, --tables, --data and --files');
        await exportPlain(bundleUri, plain, json);
        finish(EXIT_DONE);
        return;
      }
      if (output === undefined) return usage('either --output or --plain is needed');
      if (!isSmaller) usage('nothing to make smaller: give --int8, --tables or both');
      if (data === undefined && files === undefined) {
        usage('--int8 and --tables need the rows the bundle was trained on: give --data or --files');
      }
      const input = shardInput(command, { data, files });
      const narrow = { int8, tables: TABLE_TYPES[tables] };
      const { bundle, accuracy } = await exportSmaller(bundleUri, input, output, narrow, (stage) =>
        printNote(`${stage} ...`),
      );
      const { modelVersion } = bundle.manifest;
      if (json) printJson({ model: output, modelVersion, accuracy });
      else
        process.stdout.write(
          `${output}: model ${modelVersion}; on the validation rows ${describe(accuracy)}\n`,
        );
      finish(EXIT_DONE);
    });
}

async function exportPlain(bundleUri: string, file: string, json = false): Promise<void> {
  const { model, layout, manifest } = await loadBundle(storageFor(bundleUri), bundleUri);
  const bytes = plainModel(gatheredModel(model, bundleUri), layout);
  await writeWhole(file, bytes);
  const { modelVersion } = manifest;
  if (json) printJson({ file, modelVersion, sizeBytes: bytes.length });
  else process.stdout.write(`${file}: model ${modelVersion}, ${bytes.length} bytes\n`);
}

function describe(accuracy: Accuracy): string {
  return TASKS.map((task) => {
    const { auc, mean, largestChange } = accuracy[task];
    const shift = 100 * (mean.after / mean.before - 1);
    return (
      `${task} AUC ${formatMetric(auc.before)} becomes ${formatMetric(auc.after)}, ` +
      `mean score ${shift < 0 ? '' : '+'}${shift.toFixed(3)}%, single scores up to ${largestChange.toFixed(4)}`
    );
  }).join('; ');
}
