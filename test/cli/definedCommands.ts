import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';

const FOLDER = fileURLToPath(new URL('../../lib/cli/', import.meta.url));

/** The commands that the modules of lib/cli define, whether or not the program registers them. */
export async function definedCommands(): Promise<Command[]> {
  const modules = readdirSync(FOLDER).filter((file) => /Commands?\.ts$/.test(file));
  const exported = await Promise.all(modules.map((file) => import(`${FOLDER}${file}`)));
  return exported
    .flatMap((module) => Object.entries(module as Readonly<Record<string, unknown>>))
    .filter(([name]) => name.endsWith('Command'))
    .map(([, define]) => (define as (finish: () => void) => Command)(() => undefined));
}
