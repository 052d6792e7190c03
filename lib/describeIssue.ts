import type { z } from 'zod';

/**
 * A zod issue as `path: message`, naming unknown keys; a union by its first branch that takes such a type, one that knows
 * all of the keys before one that doesn't.
 */
export function describeIssue(issue: z.core.$ZodIssue, parentPath = ''): string[] {
  const path = [parentPath, ...issue.path.map(String)].filter((part) => part !== '').join('.');
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const branches = issue.errors.filter(
      (branch) => !branch.every((inner) => inner.path.length === 0 && inner.code === 'invalid_type'),
    );
    const meant =
      branches.find((branch) => !branch.some((inner) => inner.code === 'unrecognized_keys')) ?? branches[0];
    if (meant !== undefined) return meant.flatMap((inner) => describeIssue(inner, path));
    const types = issue.errors.flat().map((inner) => ('expected' in inner ? inner.expected : inner.code));
    return [`${path}: Invalid input: expected ${types.join(' or ')}`];
  }
  return [`${path === '' ? 'document' : path}: ${issue.message}`];
}
