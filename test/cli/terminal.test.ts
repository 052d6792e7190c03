import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Ncs4cvrError } from '../../lib/base/errors.ts';
import { formatCount, formatDollars } from '../../lib/base/formatCount.ts';
import {
  formatMetric,
  formatSeconds,
  interruptedLine,
  ProgressLine,
  printError,
  printNote,
  reportError,
  stderrManners,
} from '../../lib/cli/terminal.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** What a report writes to stderr. */
function reportOf(error: unknown, verbose = false): string {
  let text = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    text += chunk;
    return true;
  });
  reportError(error, verbose);
  return text;
}

describe('the report of an error', () => {
  it('says that the same command may succeed when the error may pass, and what to do', () => {
    const error = new Ncs4cvrError('STORAGE_LOCKED', 'another writer holds the lock', { retryable: true });
    expect(reportOf(error)).toBe(
      'error: STORAGE_LOCKED: another writer holds the lock\nthis may pass: try the same command again\n' +
        'what to do: run again; remove the .lock file if no such process is left\n',
    );
  });

  it.each([new Ncs4cvrError('STORAGE_FULL', 'the disk is full'), new Error('a bug'), 'a string'])(
    'promises nothing of %s',
    (error) => {
      expect(reportOf(error)).toMatch(/^error: [^\n]+\n(what to do: [^\n]+\n)?$/);
    },
  );

  it('has stacks and causes only when they are asked for', () => {
    const error = new Ncs4cvrError('X', 'x', { cause: new Error('deeper') });
    expect(reportOf(error)).toBe('error: X: x\n');
    expect(reportOf(error, true)).toMatch(
      /^error: X: x\nNcs4cvrError: X: x\n +at [\s\S]*caused by: Error: deeper\n/,
    );
  });
});

it('--quiet leaves nothing on stderr but errors: nothing else than what knows of it writes there', () => {
  const lib = new URL('../../lib/', import.meta.url);
  const writers = readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter(
    (file) =>
      file.endsWith('.ts') && /stderr\.write|console\./.test(readFileSync(new URL(file, lib), 'utf8')),
  );
  expect(writers.sort()).toEqual(['cli/main.ts', 'cli/startCli.ts', 'cli/terminal.ts']);
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  stderrManners.isQuiet = true;
  try {
    const line = new ProgressLine();
    line.print('a stage');
    line.update('some rows');
    printNote('a note');
    expect(write).not.toHaveBeenCalled();
    printError('an error');
    expect(write).toHaveBeenCalledWith('error: an error\n');
  } finally {
    stderrManners.isQuiet = false;
  }
});

it.each([
  ['train', /goes on after the last whole epoch that left a checkpoint$/],
  ['compare', /runs that were finished are kept; the same command goes on with the others$/],
  ['evaluate', /try the same command again$/],
])('of %s that was interrupted it is told how to go on', (command, line) => {
  expect(interruptedLine(['--quiet', command, 'config.json'])).toMatch(line);
});

describe('numbers for people', () => {
  it('seconds', () => {
    expect([0, 59.4, 59.6, 75, 3599, 3600, 7384, -1].map(formatSeconds)).toEqual([
      '0s',
      '59s',
      '1m00s',
      '1m15s',
      '59m59s',
      '1h00m',
      '2h03m',
      '0s',
    ]);
    expect([Number.POSITIVE_INFINITY, Number.NaN].map(formatSeconds)).toEqual(['?', '?']);
  });

  it('counts and metrics', () => {
    expect([0, 999.6, 1_234_567].map(formatCount)).toEqual(['0', '1,000', '1,234,567']);
    expect([0.74123, 1, null].map(formatMetric)).toEqual(['0.7412', '1.0000', '-']);
  });
});

it('an estimate of less than a cent is not called nothing', () => {
  expect([0, 0.0004, 0.0099, 0.01, 12.344].map(formatDollars)).toEqual([
    ...['$0.00', 'less than $0.01', 'less than $0.01'],
    ...['$0.01', '$12.34'],
  ]);
});
