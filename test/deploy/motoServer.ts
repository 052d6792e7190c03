import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Statement } from './rolePolicy.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));
const python = (tool: string) => join(project, 'build/moto/bin', tool);
/** The package and moto's log. */
const WORK = join(project, 'build/deploy');
/** Small parts, so that a partition has several units. */
const PARAMS = [
  'arch=x64',
  'lambdaArchitecture=x86_64',
  'targetRows=100',
  'arrivalWaitSeconds=1',
  'auditFunction=scores-audit',
].map((each) => `--param=${each}`);
const START_MILLIS = 60_000;

/** What deployStack.py prints: the stack as moto describes it. Keys are logical names. */
export interface DeployedStack {
  readonly status: string;
  readonly resources: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
  readonly queueArns: Readonly<Record<string, string>>;
  readonly functions: Readonly<Record<string, DeployedFunction>>;
  readonly roles: Readonly<Record<string, readonly Statement[]>>;
  readonly mappings: readonly EventSourceMapping[];
}

interface DeployedFunction {
  readonly FunctionName: string;
  readonly FunctionArn: string;
  readonly Role: string;
  /** Base64. */
  readonly CodeSha256: string;
  /** Seconds. */
  readonly Timeout: number;
  readonly MemorySize: number;
  readonly Environment: { readonly Variables: Readonly<Record<string, string>> };
}

interface EventSourceMapping {
  readonly EventSourceArn: string;
  readonly FunctionArn: string;
  readonly BatchSize: number;
}

/** The stage as it would be deployed, with the zips of build/x64. @returns its folder */
export async function packageStack(): Promise<string> {
  const folder = join(WORK, 'package');
  const osls = join(project, 'node_modules/osls/bin/serverless.js');
  const args = ['package', '--stage', 'prod', '--region', 'eu-central-1', '--package', folder, ...PARAMS];
  await promisify(execFile)(process.execPath, [osls, ...args], { cwd: project });
  return folder;
}

/** moto's server, a process of its own on a free port. */
export class MotoServer {
  readonly port: number;
  readonly #process: ChildProcess;

  private constructor(port: number, process: ChildProcess) {
    this.port = port;
    this.#process = process;
  }

  /** @param frontDoorPort where moto's state machines find the services that they call */
  static async start(frontDoorPort: number): Promise<MotoServer> {
    if (!existsSync(python('python'))) throw new Error('moto is missing: `npm run test:deploy` installs it');
    mkdirSync(WORK, { recursive: true });
    const port = await freePort();
    const log = openSync(join(WORK, 'moto.log'), 'w');
    const started = spawn(python('python'), [python('moto_server'), '-H', '127.0.0.1', '-p', String(port)], {
      env: { PATH: process.env.PATH, MOTO_PORT: String(frontDoorPort) },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    process.once('exit', () => started.kill());
    const server = new MotoServer(port, started);
    const deadline = Date.now() + START_MILLIS;
    while (
      !(await fetch(`${server.endpoint}/moto-api/`).then(
        (answer) => answer.ok,
        () => false,
      ))
    ) {
      if (started.exitCode !== null || Date.now() > deadline) {
        await server.stop();
        throw new Error(`moto did not start; see ${join(WORK, 'moto.log')}`);
      }
      await sleep(200);
    }
    return server;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Deploys a packaged stack with the zips of build/x64. */
  async deploy(packageFolder: string): Promise<DeployedStack> {
    const script = fileURLToPath(new URL('deployStack.py', import.meta.url));
    const args = [script, this.endpoint, packageFolder, join(project, 'build/x64')];
    const env = { PATH: process.env.PATH };
    const { stdout } = await promisify(execFile)(python('python'), args, { env, maxBuffer: 1 << 24 });
    return JSON.parse(stdout);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const exited = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill();
    await exited;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
