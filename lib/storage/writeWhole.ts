import { storageFor } from './openStorage.ts';

/** Writes a whole file in one step: it is there complete, or not at all. */
export async function writeWhole(uri: string, bytes: Uint8Array): Promise<void> {
  const file = await storageFor(uri).createAtomic(uri);
  try {
    await file.write(bytes);
    await file.commit();
  } catch (error) {
    await file.abort();
    throw error;
  }
}
