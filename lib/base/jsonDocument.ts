import type { z } from 'zod';
import { messageOf, Ncs4cvrError } from './errors.ts';

/**
 * A zod issue as `path: message`, naming unknown keys. A union is described by one branch: the first that takes such a type and knows
 * all of its keys, else the first that takes such a type, else one that lists the values it takes.
 */
export function describeIssue(issue: z.core.$ZodIssue, parentPath = ''): string[] {
  const path = [parentPath, ...issue.path.map(String)].filter((part) => part !== '').join('.');
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const branches = issue.errors.filter((branch) => !isAtRoot(branch, 'invalid_type'));
    const inside = branches.filter((branch) => !isAtRoot(branch, 'invalid_value'));
    const meant =
      inside.find((branch) => !branch.some((inner) => inner.code === 'unrecognized_keys')) ??
      inside[0] ??
      branches[0];
    if (meant !== undefined) return meant.flatMap((inner) => describeIssue(inner, path));
    const types = issue.errors.flat().map((inner) => ('expected' in inner ? inner.expected : inner.code));
    return [`${path}: Invalid input: expected ${types.join(' or ')}`];
  }
  return [`${path === '' ? 'document' : path}: ${issue.message}`];
}

/** Whether a branch had nothing but this to say, of the whole value. */
function isAtRoot(branch: readonly z.core.$ZodIssue[], code: z.core.$ZodIssue['code']): boolean {
  return branch.every((inner) => inner.path.length === 0 && inner.code === code);
}

/** A document's bytes; equal documents that were made alike have equal bytes. */
export function encodeJson(document: object): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(document, null, 1)}\n`);
}

/** @throws Ncs4cvrError PUBLISH_DOCUMENT_INVALID */
export function decodeJson<Schema extends z.ZodType>(
  bytes: Uint8Array,
  schema: Schema,
  uri: string,
): z.infer<Schema> {
  try {
    return schema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new Ncs4cvrError('PUBLISH_DOCUMENT_INVALID', 'this is none of our documents, or a damaged one', {
      file: uri,
      found: messageOf(cause),
      cause,
    });
  }
}
