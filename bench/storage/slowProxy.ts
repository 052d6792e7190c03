import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

/** How a store answers that is somewhere else. */
export interface Slowness {
  /** Until the first byte of an answer. */
  readonly latencyMillis: number;
  /** Of each connection; S3 gives some 80 to 100 million. */
  readonly bytesPerSecond: number;
}

/** Hands requests on to a server of this machine and its answers back, later. @returns the proxy, and its port */
export async function slowProxy(
  targetPort: number,
  { latencyMillis, bytesPerSecond }: Slowness,
): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer((asked, answer) => {
    const { url: path, method, headers } = asked;
    const handedOn = httpRequest({ port: targetPort, path, method, headers }, async (found) => {
      try {
        await wait(latencyMillis);
        answer.writeHead(found.statusCode!, found.headers);
        const startMillis = performance.now();
        let sentBytes = 0;
        for await (const chunk of found as AsyncIterable<Buffer>) {
          answer.write(chunk);
          sentBytes += chunk.length;
          const dueMillis = startMillis + (sentBytes / bytesPerSecond) * 1000;
          if (dueMillis > performance.now() + 1) await wait(dueMillis - performance.now());
        }
        answer.end();
      } catch (error) {
        answer.destroy(error as Error);
      }
    });
    handedOn.on('error', (error) => answer.destroy(error));
    asked.pipe(handedOn);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port };
}
