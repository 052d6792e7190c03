import { z } from 'zod';
import type { BundleManifest } from '../bundle/bundleManifest.ts';

const auc = z.number().nullable();

const curveSchema = z
  .array(
    z.object({
      step: z.int(),
      epoch: z.int(),
      losses: z.object({ click: z.number(), conversion: z.number() }),
      clickAuc: auc,
      conversionAuc: auc,
    }),
  )
  .readonly();

const count = z.number().min(0);
const percents = z.string().regex(/^(\d\d)+$/);
/** As lib/masks/sharingMap.ts makes it. */
const mapSchema = z
  .array(
    z.object({
      layer: z.int(),
      inputWidth: z.int(),
      outputWidth: z.int(),
      rows: z
        .array(
          z.object({
            name: z.string(),
            inputs: z.int(),
            ...{ shared: count, clickOnly: count, conversionOnly: count, dead: count },
            ...{ sharedPercents: percents, clickPercents: percents, conversionPercents: percents },
          }),
        )
        .readonly(),
    }),
  )
  .readonly();

export type RecordedCurve = z.infer<typeof curveSchema>;
export type RecordedMap = z.infer<typeof mapSchema>;

/** What a bundle keeps of its training for a report; undefined where an earlier version of the code has trained it. */
export interface TrainingRecord {
  readonly curve: RecordedCurve | undefined;
  readonly bestStep: number | undefined;
  readonly map: RecordedMap | undefined;
}

export function trainingRecord({ training }: BundleManifest): TrainingRecord {
  const best = z.object({ step: z.int() }).safeParse(training.metrics.best);
  return {
    curve: curveSchema.safeParse(training.metrics.curve).data,
    bestStep: best.data?.step,
    map: mapSchema.safeParse(training.masks?.map).data,
  };
}
