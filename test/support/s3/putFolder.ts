import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeWhole } from '../../../lib/storage/openStorage.ts';
import { joinUri } from '../../../lib/storage/uri.ts';
import { filesBelow } from '../../scoring/filesBelow.ts';

/** Copies a local folder, such as a bundle. */
export async function putFolder(folder: string, uri: string): Promise<void> {
  for (const name of filesBelow(folder)) {
    await writeWhole(joinUri(uri, name), readFileSync(join(folder, name)));
  }
}
