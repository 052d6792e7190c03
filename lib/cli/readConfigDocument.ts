import { messageOf, TrainingError } from '../errors.ts';
import { storageFor } from '../storage/openStorage.ts';

/**
 * A training config's JSON, not yet checked.
 * @param conversion column to take as the conversion label instead of the config's own
 * @throws TrainingError TRAINING_CONFIG_INVALID for anything but JSON
 */
export async function readConfigDocument(uri: string, conversion?: string): Promise<unknown> {
  const bytes = await storageFor(uri).readWhole(uri);
  try {
    const document = JSON.parse(new TextDecoder().decode(bytes)) as { labels?: object } | null;
    if (conversion === undefined || typeof document !== 'object' || document === null) return document;
    return { ...document, labels: { ...document.labels, conversion } };
  } catch (cause) {
    throw new TrainingError('TRAINING_CONFIG_INVALID', `not JSON: ${messageOf(cause)}`, { file: uri, cause });
  }
}
