import { distance } from 'fastest-levenshtein';

/**
 * The name that was most likely meant: one that differs in case only, else in case and punctuation only, else the nearest one, if
 * at most a third of the letters differ, else the only one that has a word more or less or more letters behind the same ones, such
 * as `clicked` for `click`. Undefined when none is near.
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
  if (best !== undefined) return best;
  const kin = names.filter((each) => isLonger(each, name) || isLonger(name, each) || isBegun(each, lower));
  return kin.length === 1 ? kin[0] : undefined;
}

/** Such as `hotel_id` for `hotel`: all of the short name's words, each as often, and others. */
function isLonger(long: string, short: string): boolean {
  const others = wordsOf(long);
  const words = wordsOf(short);
  for (const word of words) {
    const at = others.indexOf(word);
    if (at < 0) return false;
    others.splice(at, 1);
  }
  return words.length > 0 && others.length > 0;
}

/** Fewer letters begin too many names. */
const TELLING_LETTERS = 4;

function isBegun(name: string, lower: string): boolean {
  const [short, long] = [lower, name.toLowerCase()].sort((a, b) => a.length - b.length) as [string, string];
  return short.length >= TELLING_LETTERS && long.startsWith(short);
}

function wordsOf(name: string): string[] {
  return (name.match(/\p{Lu}?[\p{Ll}\p{N}]+|\p{Lu}+/gu) ?? []).map((word) => word.toLowerCase());
}

/** Letters and digits only, in lower case. */
export function plainName(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
}

/**
 * What an error about an unknown name adds: `, did you mean "user_id"?`, or nothing. A struct's field is also suggested for its own
 * name alone, where no other field has that.
 */
export function didYouMean(name: string, names: readonly string[]): string {
  const lastName = (path: string) => path.slice(path.lastIndexOf('.') + 1).toLowerCase();
  const fields = names.filter((each) => each.includes('.') && lastName(each) === lastName(name));
  const meant = nearestName(name, names) ?? (fields.length === 1 ? fields[0] : undefined);
  return meant === undefined || meant === name ? '' : `, did you mean "${meant}"?`;
}
