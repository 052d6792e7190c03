import { Command } from 'commander';
import { TASKS } from '../base/tasks.ts';
import { bundleOwnModel } from '../ownModel/bundleOwnModel.ts';
import { parseOwnModelConfig, readOwnModelConfig } from '../ownModel/ownModelConfig.ts';
import { readOwnContract } from '../ownModel/readOwnContract.ts';
import { filesOption, parseUri, shardInput } from './options.ts';
import { EXIT_DONE, formatMetric, ProgressLine, printJson } from './terminal.ts';

interface BundleOptions {
  readonly onnx: string;
  readonly contract: string;
  readonly config?: string;
  readonly data?: string;
  readonly files?: string;
  readonly output: string;
  readonly json?: boolean;
}

export function bundleCommand(finish: (exitCode: number) => void): Command {
  return new Command('bundle')
    .description('make a bundle of an ONNX file that was trained elsewhere')
    .requiredOption('--onnx <file>', 'the model; outputs pctr and pcvr', parseUri)
    .requiredOption(
      '--contract <uri>',
      'contract (JSON) that the model was trained with, or a bundle that has it',
      parseUri,
    )
    .option('--config <file>', 'what each input takes, labels, slices, split, version (JSON)', parseUri)
    .option('--data <uri>', 'folder of Parquet shards, labelled or not, to check and compare with', parseUri)
    .addOption(filesOption())
    .requiredOption('--output <dir>', 'folder of the new bundle; must not hold one', parseUri)
    .option('--json', 'print the result as one JSON object')
    .action(async (options: BundleOptions, command: Command) => {
      const { onnx, contract, config: configUri, data, files, output, json } = options;
      const input = shardInput(command, { data, files });
      const fitted = await readOwnContract(contract);
      const config =
        configUri === undefined
          ? parseOwnModelConfig({}, fitted.contract, undefined)
          : await readOwnModelConfig(configUri, fitted.contract);
      const line = new ProgressLine();
      const { bundle, metrics, notes } = await bundleOwnModel(
        { onnxUri: onnx, fitted, config },
        input,
        output,
        (stage) => line.print(`${stage} ...`),
      );
      for (const note of notes) line.print(`note: ${note}`);
      line.clear();
      const { modelVersion, inputs, training } = bundle.manifest;
      if (json) printJson({ model: output, modelVersion, inputs, metrics: metrics ?? null, notes });
      else {
        const measured =
          metrics === undefined
            ? ''
            : `; ${TASKS.map((task) => `${task} AUC ${formatMetric(metrics[task].auc)}`).join(', ')}`;
        process.stdout.write(
          `${output}: model ${modelVersion}, compared with ${training.validationRows} rows, ` +
            `${training.validationSplit}${measured}\n`,
        );
      }
      finish(EXIT_DONE);
    });
}
