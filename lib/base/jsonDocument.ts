import type { z } from 'zod';
import { type ErrorLocation, messageOf, Ncs4cvrError, ProblemsError } from './errors.ts';

/** How a document that can't be used is reported. */
export interface DocumentDescription {
  /** Stable code of the error, for text that isn't JSON too. */
  readonly code: string;
  /** What is wrong in a few words, such as `the prices are invalid`. */
  readonly summary: string;
  /** URI of the document. */
  readonly file?: string;
  /** Where the value is in its document, such as `arms.mmoe`. */
  readonly path?: string;
}

/** How a document of a later format is refused: what is damaged may be removed, and this may not. */
interface LaterFormat {
  /** The latest `formatVersion` that this version of the project knows. */
  readonly known: number;
  /** Stable code of the error. */
  readonly code: string;
  /** What was written, with its verb, such as `this channel was written`. */
  readonly what: string;
  readonly advice: string;
}

export interface ParseOptions<Value> extends DocumentDescription {
  /** Looked for before the schema, to which such a document is a damaged one. */
  readonly later?: LaterFormat;
  /**
   * Problems, each as `path: message`, that no schema can state.
   * @param value what the schema has made of the document; undefined when it doesn't fit. It is called then too, so that
   *   what can be checked nevertheless is reported in the same go.
   */
  readonly crossCheck?: (value: Value | undefined) => readonly string[];
}

/**
 * What a schema makes of a document.
 * @throws ProblemsError with the given code, naming every problem as `path: message`; Ncs4cvrError with the code of `later`
 */
export function parseDocument<Schema extends z.ZodType>(
  document: unknown,
  schema: Schema,
  options: ParseOptions<z.infer<Schema>>,
): z.infer<Schema> {
  const { crossCheck = () => [], path = '', later } = options;
  if (later !== undefined) refuseLaterFormat(document, later, placeOf(options));
  const { success, data, error } = schema.safeParse(document);
  const problems = [
    ...(success ? [] : error.issues.flatMap((issue) => describeIssue(issue, path))),
    ...crossCheck(data).map((problem) => (path === '' ? problem : `${path}.${problem}`)),
  ];
  if (success && problems.length === 0) return data;
  throw new ProblemsError(options.code, options.summary, problems, placeOf(options));
}

/**
 * What a schema makes of a document's bytes or text.
 * @throws ProblemsError with the given code, naming every problem; Ncs4cvrError with it for anything but JSON
 */
export function decodeDocument<Schema extends z.ZodType>(
  source: Uint8Array | string,
  schema: Schema,
  options: ParseOptions<z.infer<Schema>>,
): z.infer<Schema> {
  return parseDocument(decodeJson(source, options), schema, options);
}

/** JSON whose content isn't checked here. @throws Ncs4cvrError with the given code for anything but JSON */
export function decodeJson(
  source: Uint8Array | string,
  description: Pick<DocumentDescription, 'code' | 'file'>,
): unknown {
  try {
    return JSON.parse(typeof source === 'string' ? source : new TextDecoder().decode(source));
  } catch (cause) {
    throw new Ncs4cvrError(description.code, `not JSON: ${messageOf(cause)}`, {
      ...placeOf(description),
      cause,
    });
  }
}

/** What somebody else's program has answered: undefined for anything but JSON. */
export function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A document's bytes; equal documents that were made alike have equal bytes. */
export function encodeJson(document: object): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(document, null, 1)}\n`);
}

/** A JSON object: neither an array nor null. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuseLaterFormat(document: unknown, later: LaterFormat, place: ErrorLocation): void {
  if (!isRecord(document)) return;
  const { formatVersion } = document;
  if (!Number.isSafeInteger(formatVersion) || Number(formatVersion) <= later.known) return;
  const summary = `${later.what} by a later version of this project, which alone may go on here; ${later.advice}`;
  throw new Ncs4cvrError(later.code, summary, {
    ...place,
    expected: `format version ${later.known}`,
    found: String(formatVersion),
  });
}

/** Where an error of a document lies. */
export function placeOf({ file }: Pick<DocumentDescription, 'file'>): ErrorLocation {
  return file === undefined ? {} : { file };
}

/**
 * A zod issue as `path: message`, naming unknown keys. A union is described by one branch: the first that takes such a type
 * and knows all of its keys, else the first that takes such a type, else one that lists the values it takes.
 */
function describeIssue(issue: z.core.$ZodIssue, parentPath: string): string[] {
  const path = [parentPath, ...issue.path.map(String)].filter((text) => text !== '').join('.');
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const branches = issue.errors.filter((branch) => !isAtRoot(branch, 'invalid_type'));
    const inside = branches.filter((branch) => !isAtRoot(branch, 'invalid_value'));
    const meant =
      inside.find((branch) => !branch.some((inner) => inner.code === 'unrecognized_keys')) ??
      inside[0] ??
      branches[0];
    if (meant !== undefined) return meant.flatMap((inner) => describeIssue(inner, path));
    const types = issue.errors.flat().map((inner) => ('expected' in inner ? inner.expected : inner.code));
    return [`${nameOf(path)}: Invalid input: expected ${types.join(' or ')}`];
  }
  return [`${nameOf(path)}: ${issue.message}`];
}

function nameOf(path: string): string {
  return path === '' ? 'document' : path;
}

/** Whether a branch had nothing but this to say, of the whole value. */
function isAtRoot(branch: readonly z.core.$ZodIssue[], code: z.core.$ZodIssue['code']): boolean {
  return branch.every((inner) => inner.path.length === 0 && inner.code === code);
}
