import { Ncs4cvrError } from './errors.ts';
import { isRecord } from './jsonDocument.ts';

/**
 * Refuses a document whose `formatVersion` is later than what this version knows, before a schema calls it damaged: what is damaged
 * may be removed, and this may not.
 * @param what was written, with its verb, such as `this channel was written`
 */
export function refuseNewerFormat(
  document: unknown,
  known: number,
  { code, what, advice, file }: { code: string; what: string; advice: string; file: string },
): void {
  if (!isRecord(document)) return;
  const { formatVersion } = document;
  if (!Number.isSafeInteger(formatVersion) || Number(formatVersion) <= known) return;
  const summary = `${what} by a later version of this project, which alone may go on here; ${advice}`;
  throw new Ncs4cvrError(code, summary, {
    file,
    expected: `format version ${known}`,
    found: String(formatVersion),
  });
}
