import type { z } from 'zod';
import { messageOf, PublishError } from '../errors.ts';

/** A document's bytes; equal documents that were made alike have equal bytes. */
export function encodeJson(document: object): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(document, null, 1)}\n`);
}

/** @throws PublishError PUBLISH_DOCUMENT_INVALID */
export function decodeJson<Schema extends z.ZodType>(
  bytes: Uint8Array,
  schema: Schema,
  uri: string,
): z.infer<Schema> {
  try {
    return schema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new PublishError('PUBLISH_DOCUMENT_INVALID', 'this is none of our documents, or a damaged one', {
      file: uri,
      found: messageOf(cause),
      cause,
    });
  }
}
