import { createSocket, type Socket } from 'node:dgram';
import type { AddressInfo } from 'node:net';

/** A subsegment as it is sent to X-Ray's daemon, as far as tests read it. */
export interface Subsegment {
  readonly name: string;
  readonly trace_id: string;
  readonly annotations?: Readonly<Record<string, string | boolean>>;
  readonly aws?: { readonly operation: string };
  readonly fault?: boolean;
  readonly cause?: { readonly exceptions: readonly { readonly message: string }[] };
}

export const TRACE_ID = '1-5759e988-bd862e3fe1be46a994272793';

/** What Lambda runs beside a function: takes subsegments by UDP. */
export class XrayDaemon {
  readonly sent: Subsegment[] = [];
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    // A header, and the subsegment in the second line.
    socket.on('message', (message) => this.sent.push(JSON.parse(message.toString().split('\n')[1]!)));
  }

  static async start(): Promise<XrayDaemon> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    return new XrayDaemon(socket);
  }

  /** As AWS_XRAY_DAEMON_ADDRESS holds it. */
  get address(): string {
    return `127.0.0.1:${(this.#socket.address() as AddressInfo).port}`;
  }

  /** Lambda's variables for a sampled invocation of a fresh environment. */
  get environment(): NodeJS.ProcessEnv {
    return {
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x',
      AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
      LAMBDA_TASK_ROOT: '/var/task',
      _X_AMZN_TRACE_ID: `Root=${TRACE_ID};Parent=53995c3f42cd8ad8;Sampled=1`,
      AWS_XRAY_DAEMON_ADDRESS: this.address,
    };
  }

  named(name: string): Subsegment[] {
    return this.sent.filter((subsegment) => subsegment.name === name);
  }

  stop(): void {
    this.#socket.close();
  }
}
