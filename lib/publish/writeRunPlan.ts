import { sha256 } from '../sha256.ts';
import { storageFor } from '../storage/openStorage.ts';
import { encodeJson } from './jsonDocument.ts';
import { planUri } from './outputLayout.ts';
import { type RunPlan, runPlanSchema } from './runPlan.ts';

export interface WrittenPlan {
  readonly uri: string;
  /** Of the plan's bytes, and its name. */
  readonly sha256: string;
}

/** Writes a plan below its output root, under its digest. The same plan has the same name, whoever made it. */
export async function writeRunPlan(plan: RunPlan): Promise<WrittenPlan> {
  // Parsing puts the keys in the schema's order.
  const bytes = encodeJson(runPlanSchema.parse(plan));
  const digest = sha256(bytes);
  const uri = planUri(plan.root, digest);
  await storageFor(uri).createIfAbsent(uri, bytes);
  return { uri, sha256: digest };
}
