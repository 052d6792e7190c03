import { Ncs4cvrError } from '../base/errors.ts';
import { nearestName } from '../base/nearestName.ts';
import { listIfAny } from '../storage/openStorage.ts';
import { joinUri } from '../storage/uri.ts';

/**
 * Does what needs a published partition. Where nothing was ever published for it, the error says which one may have been meant,
 * as `plan` does for a partition that isn't there.
 * @param root output root of the scores
 * @throws what `work` throws
 */
export async function ofPublished<Result>(
  root: string,
  partition: string,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Ncs4cvrError) || error.code !== 'PUBLISH_NOTHING') throw error;
    const names = (await listIfAny(joinUri(root, 'pointers'))).map(({ relativePath }) =>
      relativePath.replace(/\.json$/, ''),
    );
    const meant = nearPartition(partition, names);
    if (meant === undefined) throw error;
    const summary = `nothing was ever published for this partition; did you mean ${meant}?`;
    throw new Ncs4cvrError(error.code, summary, { ...error.location, cause: error });
  }
}

/** Another day or hour is never meant, however little its name differs: numbers have to be equal, but for leading zeros. */
function nearPartition(wanted: string, names: readonly string[]): string | undefined {
  const withoutZeros = (name: string) => name.replace(/\d+/g, (digits) => digits.replace(/^0+(?=\d)/, ''));
  const numbers = (name: string) => withoutZeros(name).replace(/\D+/g, ' ').trim();
  const likely = names.filter((name) => numbers(name) === numbers(wanted));
  return likely.find((name) => withoutZeros(name) === withoutZeros(wanted)) ?? nearestName(wanted, likely);
}
