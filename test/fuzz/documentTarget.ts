import { Ncs4cvrError } from '../../lib/base/errors.ts';
import { encodeJson } from '../../lib/base/jsonDocument.ts';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { fileKey } from '../../lib/storage/uri.ts';
import { eventDocuments } from './eventDocuments.ts';
import type { FuzzTarget, Outcome } from './fuzzCase.ts';
import { keptDocuments } from './keptDocuments.ts';
import { mutateJson } from './mutateJson.ts';

/** Plans, pointers, manifests and all else that is kept as JSON, and what functions are called with. */
export const documentTarget: FuzzTarget = {
  name: 'documents',
  prepare: async (folder, seed) => {
    const documents = [...(await keptDocuments(folder)), ...(await eventDocuments())];
    for (const { document, file, take } of documents) {
      // Of one that isn't valid before, all mutants are refused, whatever is wrong with them.
      const bytes = encodeJson(document as object);
      if (file !== undefined) await writeWhole(file, bytes);
      await take(bytes);
    }
    return (index) => {
      const { name, document, file, take } = documents[index % documents.length]!;
      const { bytes, damage } = mutateJson(document, new RandomStream(seed + index));
      const run = async (): Promise<Outcome> => {
        try {
          if (file !== undefined) await writeWhole(file, bytes);
          const led = (await take(bytes)).find(({ uri, within }) => !isWithin(uri, within));
          if (led !== undefined)
            return { kind: 'failed', reason: `leads to ${led.uri}, out of ${led.within}` };
          return { kind: 'otherValues', where: 'a document that is as valid as the whole one' };
        } catch (error) {
          if (!(error instanceof Ncs4cvrError)) {
            return {
              kind: 'failed',
              reason: `without a code: ${error instanceof Error ? error.stack : error}`,
            };
          }
          if (file !== undefined && error.location.file !== file) {
            return { kind: 'failed', reason: `without the file: ${error.message.slice(0, 300)}` };
          }
          return { kind: 'refused', code: error.code };
        }
      };
      return { name: `${name}: ${damage}`, bytes, run };
    };
  },
};

function isWithin(uri: string, folder: string): boolean {
  if (uri.startsWith('s3://')) return uri.startsWith(`${folder}/`) && !uri.split('/').includes('..');
  return fileKey(uri).startsWith(`${fileKey(folder).replace(/\/$/, '')}/`);
}
