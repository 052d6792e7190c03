import { once } from 'node:events';
import { createServer } from 'node:net';

/** Makes what is neither a file nor a folder; it stays until the process ends. */
export async function socketAt(path: string): Promise<void> {
  const server = createServer().listen(path).unref();
  await once(server, 'listening');
}
