import { ProblemsError } from '../base/errors.ts';
import { TASKS } from '../base/tasks.ts';
import { type FeatureContract, featureName } from '../features/contract.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { labelColumn } from '../features/labelValues.ts';
import type { LabelColumns } from '../features/readLabels.ts';
import { type AucAlone, aucsAlone } from '../training/aucAlone.ts';
import type { TrainingSet } from '../training/trainingSet.ts';

interface AllowedLeaks {
  /** Names of features. */
  readonly allowLeak?: readonly string[] | undefined;
}

/** What a bundle's record says about features that may hold what they are to predict. */
export interface LeakRecord {
  /** AUC that no feature may reach alone. */
  readonly bound: number;
  /** Features that the config lets through all the same. */
  readonly allowed: readonly string[];
  readonly alone: readonly AucAlone[];
}

/**
 * Honest features of real data stay far below: of the 49 of KuaiRand and the 20 of Tencent's sample none passes .66, for
 * clicks or any of three conversion labels. A copy of a label reaches 1, one with a tenth of its values wrong about .9.
 */
export const LEAK_BOUND = 0.9;

const REMEDY =
  'a value that is known only after the impression has no place in contract.features; name a feature in allowLeak if it is known before';

/**
 * Refuses features that read the column of a label, before any data is read.
 * @throws ProblemsError TRAINING_LEAK
 */
export function refuseLabelColumns(
  {
    contract,
    labels,
    allowLeak = [],
  }: AllowedLeaks & { readonly contract: FeatureContract; readonly labels: LabelColumns },
  file: string,
): void {
  const problems = contract.features.flatMap((feature) => {
    const task = TASKS.find((each) => labelColumn(labels[each]) === feature.column);
    const name = featureName(feature);
    return task === undefined || allowLeak.includes(name)
      ? []
      : [`feature '${name}' is the label of ${task}s: it reads the column '${feature.column}'`];
  });
  refuse(problems, file);
}

/**
 * Refuses features that tell a label alone, before the hours of training.
 * @param file where the shards lie
 * @throws ProblemsError TRAINING_LEAK naming each such feature, its task and its AUC
 */
export function refuseLeaks(
  { allowLeak = [] }: AllowedLeaks,
  layout: FeatureLayout,
  trainingSet: TrainingSet,
  validationSet: TrainingSet,
  file: string,
): LeakRecord {
  const alone = aucsAlone(layout, trainingSet, validationSet);
  const problems = alone.flatMap(({ feature, aucs }) =>
    TASKS.filter((task) => (aucs[task] ?? 0) > LEAK_BOUND && !allowLeak.includes(feature)).map(
      (task) =>
        `feature '${feature}' alone tells ${task}s with an AUC of ${aucs[task]!.toFixed(4)} on validation rows, bound ${LEAK_BOUND}`,
    ),
  );
  refuse(problems, file);
  return { bound: LEAK_BOUND, allowed: allowLeak, alone };
}

function refuse(problems: readonly string[], file: string): void {
  if (problems.length === 0) return;
  throw new ProblemsError('TRAINING_LEAK', 'features hold what they are to predict', problems, {
    file,
    expected: REMEDY,
  });
}
