import type { Option } from 'commander';
import { describe, expect, it } from 'vitest';
import { definedCommands } from './definedCommands.ts';

const COMMANDS = await definedCommands();

/** Every option of every command whose value is called so in the help, by command and option. */
function optionsOf(value: string): [string, Option][] {
  return COMMANDS.flatMap((command) => command.options.map((option) => [command.name(), option] as const))
    .filter(([, { flags }]) => flags.endsWith(` ${value}`))
    .map(([name, option]) => [`${name} ${option.long}`, option]);
}

const DATES = optionsOf('<date>');
const PARTITIONS = optionsOf('<name>').filter(([, { long }]) => long === '--partition');

const NUMBERS = optionsOf('<n>').filter(([, { parseArg }]) => parseArg !== undefined);

describe('options', () => {
  it('are found', () => {
    const found = [DATES, PARTITIONS, NUMBERS].map(({ length }) => length >= 6);
    expect(found).toEqual([true, true, true]);
  });

  it.each(DATES)('%s takes the days of the calendar, and no other', (_name, { parseArg }) => {
    for (const day of ['2024-02-29', '2026-12-31']) expect(parseArg?.(day, undefined)).toBe(day);
    for (const day of ['2026-02-29', '2026-02-30', '2026-04-31', '2026-13-01', '2026-3-1', '']) {
      expect(() => parseArg?.(day, undefined) ?? day).toThrow('expected a date');
    }
  });

  it.each(NUMBERS)('%s does not take nothing, as of an unset variable, for 0', (_name, { parseArg }) => {
    for (const text of ['', ' ']) expect(() => parseArg?.(text, undefined)).toThrow('expected');
  });

  it.each(PARTITIONS)('%s leaves out the slash that a shell completes', (_name, { parseArg }) => {
    expect(parseArg?.('region=eu/dt=2026-03-01/', undefined)).toBe('region=eu/dt=2026-03-01');
    expect(() => parseArg?.('', undefined) ?? '').toThrow('expected');
  });
});
