import { distance } from 'fastest-levenshtein';

/**
 * The name that was most likely meant: the same but for its case, else the nearest one of which at most a third of the letters
 * differ. Undefined when none is near.
 */
export function nearestName(name: string, names: readonly string[]): string | undefined {
  const lower = name.toLowerCase();
  const otherCase = names.find((each) => each.toLowerCase() === lower);
  if (otherCase !== undefined) return otherCase;
  let best: string | undefined;
  let least = Math.floor(name.length / 3) + 1;
  for (const each of names) {
    const far = distance(name, each);
    if (far < least) [best, least] = [each, far];
  }
  return best;
}
