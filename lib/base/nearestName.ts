import { distance } from 'fastest-levenshtein';

/**
 * The name that was most likely meant: the same but for its case, else but for punctuation, else the nearest one of which at most a third of the letters
 * differ. Undefined when none is near.
 */
export function nearestName(name: string, names: readonly string[]): string | undefined {
  const lower = name.toLowerCase();
  const otherCase = names.find((each) => each.toLowerCase() === lower);
  if (otherCase !== undefined) return otherCase;
  const plain = plainName(name);
  const otherSigns = plain === '' ? undefined : names.find((each) => plainName(each) === plain);
  if (otherSigns !== undefined) return otherSigns;
  let best: string | undefined;
  let least = Math.floor(name.length / 3) + 1;
  for (const each of names) {
    const far = distance(name, each);
    if (far < least) [best, least] = [each, far];
  }
  return best;
}

/** Letters and digits only, in lower case. */
export function plainName(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
}

/**
 * What an error adds that found no such name: `, did you mean "user_id"?`, or nothing. A field of a struct is meant by its last
 * name, too, where no other field has it.
 */
export function didYouMean(name: string, names: readonly string[]): string {
  const lastName = (path: string) => path.slice(path.lastIndexOf('.') + 1).toLowerCase();
  const fields = names.filter((each) => each.includes('.') && lastName(each) === lastName(name));
  const meant = nearestName(name, names) ?? (fields.length === 1 ? fields[0] : undefined);
  return meant === undefined || meant === name ? '' : `, did you mean "${meant}"?`;
}
