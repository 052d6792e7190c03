import { ProblemsError } from '../errors.ts';
import { armSettings, type TrainingConfig, type TrainingSettings } from '../training/trainingConfig.ts';
import { ARMS } from './arms.ts';

/**
 * The settings that an arm trains with: the config's, its own of the config's `arms` over them, and what makes it this arm.
 * @throws ProblemsError TRAINING_CONFIG_INVALID
 */
export function settingsOfArm(name: string, config: TrainingConfig): TrainingSettings {
  const settings = armSettings(config, name);
  const entireSpace = ARMS[name]!.entireSpace;
  if (entireSpace === undefined) return settings;
  // Joint steps alone would halve its optimiser steps beside those of the other arms, without a word.
  if (settings.steps !== 'joint') {
    throw new ProblemsError('TRAINING_CONFIG_INVALID', 'an arm learns conversions from all impressions', [
      `arms.${name}.steps: needs joint steps, since its loss belongs to both tasks; set them for it, or leave it out`,
    ]);
  }
  const { replacesConversionLoss, ...entire } = entireSpace;
  const { click, conversion } = settings.taskWeights;
  const taskWeights = { click, conversion: replacesConversionLoss === true ? 0 : conversion };
  return { ...settings, taskWeights, entireSpace: entire };
}
