import { sha256 } from '../../lib/base/digest.ts';
import { readManifest } from '../../lib/publish/manifest.ts';
import { below } from '../../lib/publish/outputLayout.ts';
import { readPointer } from '../../lib/publish/pointer.ts';
import { listIfAny, storageFor } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';

/**
 * What readers of a root see, by partition: the pointer's bytes, after every part that its manifest names was found with the
 * digest and the number of rows that it was published with.
 * @throws Error when a part is gone or has other bytes, or rows are named twice
 */
export async function readerState(root: string): Promise<string> {
  const states: string[] = [];
  for (const { relativePath, uri } of await listIfAny(joinUri(root, 'pointers'))) {
    const partition = relativePath.replace(/\.json$/, '');
    const { pointer } = await readPointer(root, partition);
    for (const publication of [pointer!.current, ...pointer!.history]) {
      await verifyWhole(root, publication);
    }
    const audit = below(root, pointer!.current.audit);
    if (!(await storageFor(audit).exists(audit))) throw new Error(`${audit} is gone`);
    states.push(`${partition} ${Buffer.from(await storageFor(uri).readWhole(uri)).toString()}`);
  }
  return states.join('\n');
}

async function verifyWhole(root: string, publication: Parameters<typeof readManifest>[1]): Promise<void> {
  const { parts, rows } = await readManifest(root, publication);
  const seen = new Set<string>();
  let found = 0;
  for (const part of parts) {
    const uri = below(root, part.path);
    const digest = sha256(await storageFor(uri).readWhole(uri));
    if (digest !== part.sha256) throw new Error(`${part.path} has other bytes than were published`);
    for (const { shard, firstRowGroup, endRowGroup } of part.spans) {
      for (let rowGroup = firstRowGroup; rowGroup < endRowGroup; rowGroup++) {
        const name = `${shard} ${rowGroup}`;
        if (seen.has(name)) throw new Error(`${name} is in two parts`);
        seen.add(name);
      }
    }
    found += part.rows;
  }
  if (found !== rows) throw new Error(`${found} rows are in parts, ${rows} in the manifest`);
}
