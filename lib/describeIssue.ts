import type { z } from 'zod';

/** A zod issue as `path: message`, naming unknown keys; a union by its first branch that takes such a type. */
export function describeIssue(issue: z.core.$ZodIssue, parentPath = ''): string[] {
  const path = [parentPath, ...issue.path.map(String)].filter((part) => part !== '').join('.');
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const branches = issue.errors.filter(
      (branch) => !branch.every((inner) => inner.path.length === 0 && inner.code === 'invalid_type'),
    );
    if (branches[0] !== undefined) return branches[0].flatMap((inner) => describeIssue(inner, path));
    const types = issue.errors.flat().map((inner) => ('expected' in inner ? inner.expected : inner.code));
    return [`${path}: Invalid input: expected ${types.join(' or ')}`];
  }
  return [`${path === '' ? 'document' : path}: ${issue.message}`];
}
