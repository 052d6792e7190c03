import type { Option } from 'commander';
import { describe, expect, it } from 'vitest';
import { definedCommands } from './definedCommands.ts';

const COMMANDS = await definedCommands();

/** Every option of every command, by command and option. */
const OPTIONS = COMMANDS.flatMap((command) =>
  command.options.map((option): [string, Option] => [`${command.name()} ${option.long}`, option]),
);
/** Those whose value is called so in the help. */
const optionsOf = (value: string) => OPTIONS.filter(([, { flags }]) => flags.endsWith(` ${value}`));

const WITH_VALUES = OPTIONS.filter(([, { required }]) => required);
const DATES = optionsOf('<date>');
const DIGESTS = optionsOf('<sha256>');
const PARTITIONS = optionsOf('<name>').filter(([, { long }]) => long === '--partition');

describe('options', () => {
  it('are found', () => {
    const found = [DATES, PARTITIONS].map(({ length }) => length >= 6);
    expect([...found, DIGESTS.length >= 5, WITH_VALUES.length > 80]).toEqual([true, true, true, true]);
  });

  // What an unset variable of a shell script gives is no path, column or reason, nor how every digest begins.
  it.each(WITH_VALUES)('%s does not take nothing for a value', (_name, { parseArg }) => {
    for (const text of ['', ' ']) {
      expect(() => parseArg?.(text, undefined) ?? text).toThrow(/expected|Allowed choices/);
    }
  });

  it.each(DIGESTS)('%s takes a digest or how it begins, and no version of a model', (_name, { parseArg }) => {
    for (const text of ['0a1b', 'f'.repeat(64)]) expect(parseArg?.(text, undefined)).toBe(text);
    for (const text of ['0a1', 'v7-2', '0A1B', 'f'.repeat(65)]) {
      expect(() => parseArg?.(text, undefined) ?? text).toThrow('hex digits');
    }
  });

  it.each(DATES)('%s takes the days of the calendar, and no other', (_name, { parseArg }) => {
    for (const day of ['2024-02-29', '2026-12-31']) expect(parseArg?.(day, undefined)).toBe(day);
    for (const day of ['2026-02-29', '2026-02-30', '2026-04-31', '2026-13-01', '2026-3-1', '']) {
      expect(() => parseArg?.(day, undefined) ?? day).toThrow('expected a date');
    }
  });

  it.each(PARTITIONS)('%s leaves out the slash that a shell completes', (_name, { parseArg }) => {
    expect(parseArg?.('region=eu/dt=2026-03-01/', undefined)).toBe('region=eu/dt=2026-03-01');
    expect(() => parseArg?.('/', undefined) ?? '').toThrow('expected a partition');
  });

  it.each(PARTITIONS)(
    '%s is not taken from the last of two and the other left out',
    (_name, { parseArg }) => {
      expect(() => parseArg?.('dt=2', 'dt=1' as never) ?? '').toThrow(
        'expected one partition, and dt=1 is one',
      );
    },
  );
});
