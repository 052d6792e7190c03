import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { decodeDocument } from '../base/jsonDocument.ts';
import { readDocument } from '../storage/readDocument.ts';

const amount = z.number().min(0);

/** @internal exported for the reference of documents */
export const pricesSchema = z.strictObject({
  /** That the prices are of. */
  region: z.string(),
  /** That the prices are of. */
  architecture: z.enum(['arm64', 'x86_64']),
  /** Of the prices. */
  date: z.iso.date(),
  /** Where they were read. */
  sources: z.array(z.string()).min(1),
  /** Of functions of Lambda. */
  dollarsPerGigabyteSecond: amount,
  /** Of functions of Lambda. */
  dollarsPerMillionInvocations: amount,
  /** Of S3; lists count as puts. */
  dollarsPerThousandPuts: amount,
  /** Of S3. */
  dollarsPerThousandGets: amount,
  /** Of Step Functions. */
  dollarsPerThousandStateTransitions: amount,
  /** Of one score function; Lambda gives a vCPU for every 1,769 MB. */
  memoryMegabytes: z.int().min(128).max(10_240),
  /** Score functions that the state machine runs at a time. */
  concurrency: z.int().min(1),
  /** What a vCPU scores, reading and writing included. */
  rowsPerSecondPerVcpu: z.number().positive(),
  /** What a part takes besides its rows: opening, committing, reading back. */
  secondsPerPart: amount,
  /** Of a function's first unit: start, and the model's loading and verification. */
  secondsPerColdStart: amount,
  /** Of a run: planning, starting the maps, publishing. */
  secondsPerRun: amount,
});

/** What a run costs and how fast it goes. */
export type Prices = Readonly<z.infer<typeof pricesSchema>>;

/** The prices that come with the project. */
const DEFAULT_PRICES_FILE = fileURLToPath(new URL('../../infra/prices.json', import.meta.url));

/** @throws ProblemsError PRICES_INVALID naming every problem, unknown keys among them */
export async function readPrices(uri: string = DEFAULT_PRICES_FILE): Promise<Prices> {
  return decodeDocument(await readDocument(uri), pricesSchema, {
    code: 'PRICES_INVALID',
    summary: 'the prices are invalid',
    file: uri,
  });
}
