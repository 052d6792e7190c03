import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { codeCalls, functionCalls, programOf } from './codeCalls.ts';

const folder = temporaryFolder();

function callsOf(handler: string): ReturnType<typeof codeCalls> {
  writeFileSync(
    join(folder, 'store.ts'),
    `export interface Readable { read(): Promise<void>; readonly size: () => Promise<void> }
     export interface Store extends Readable { remove(): Promise<void> }
     class Bucket implements Store {
       constructor() { new sdk.HeadBucketCommand({}); }
       async read() { await this.#get(); }
       async #get() { await client.send(new sdk.GetObjectCommand({})); }
       size = async () => {};
       async remove() { await client.send(new sdk.DeleteObjectCommand({})); }
     }
     export const queue: Store = {
       read: async () => { await client.send(new ReceiveMessageCommand({})); },
       size: sizeOf,
       remove: async () => { await client.send(new DeleteMessageCommand({})); },
     };
     async function sizeOf() { await client.send(new GetQueueAttributesCommand({})); }
     export const storeFor = (uri: string): Store => (uri === '' ? queue : new Bucket());
     export async function upload() { new Upload({}); }
     export const table: Readonly<Record<string, () => void>> = { upload };`,
  );
  const entry = join(folder, 'handler.ts');
  writeFileSync(
    entry,
    `import * as all from './store.ts';
     import { queue, type Readable, storeFor, table, upload as send } from './store.ts';
     function unused() { new PurgeQueueCommand({}); }
     ${handler}`,
  );
  return codeCalls([entry], programOf([entry]));
}

it.each([
  ['nothing of what is only imported', 'export function handler() {}', []],
  [
    'what stands behind an interface, by the member that is used',
    'export const handler = () => storeFor("").read();',
    ['GetObjectCommand', 'HeadBucketCommand', 'ReceiveMessageCommand'],
  ],
  [
    'what stands behind an interface that was extended',
    'export function handler(file: Readable) { return file.size(); }',
    ['GetQueueAttributesCommand'],
  ],
  [
    'what is used of an object',
    'export const handler = queue.remove;',
    ['DeleteMessageCommand', 'DeleteObjectCommand'],
  ],
  ['functions handed on by another name', 'export const handler = [send];', ['Upload']],
  ['functions of a namespace', 'export const handler = () => all.upload();', ['Upload']],
  ['functions in a table', 'export const handler = (name: string) => table[name]!();', ['Upload']],
  ['what a module does when it is loaded', 'if (send) send();', ['Upload']],
])('finds %s', (_, handler, commands) => {
  expect(callsOf(handler).commands).toEqual(commands);
});

it('finds the names of metrics, those of a union too, and refuses one that can be anything', () => {
  const adding = (type: string) =>
    callsOf(`export function handler(name: ${type}) { metrics.addMetric(name, 'Count', 1); }`);
  expect(adding(`'held' | 'published'`).metrics).toEqual(['held', 'published']);
  expect(() => adding('string')).toThrow('the name of a metric is no literal');
});

it('knows the functions that are packaged', () => {
  expect(Object.keys(functionCalls())).toEqual(['arrivals', 'plan', 'score', 'publish', 'freshness']);
}, 60_000);
