import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { commandLine } from '../../lib/cli/runCli.ts';
import { type Page, pages, project } from './pages.ts';

const PAGES = pages();
const program = await commandLine([], () => undefined);
const { scripts } = JSON.parse(readFileSync(`${project}package.json`, 'utf8')) as {
  scripts: Readonly<Record<string, string>>;
};

interface Shown {
  readonly page: string;
  /** Words of one command, quotes removed. */
  readonly words: readonly string[];
  /** Is it a whole command, to be run as it stands, and no mention of one? */
  readonly isWhole: boolean;
}

/** Commands that a page shows, in fences and in the text. */
const SHOWN: readonly Shown[] = PAGES.flatMap(({ path, text, fences }) => {
  const lines = fences.flatMap(commandLines);
  const mentions = [...text.matchAll(/`((?:[^`\n]|\n(?!\n))+)`/g)].map(([, code]) =>
    code!.replace(/\n/g, ' '),
  );
  return [
    ...lines.flatMap((line) => wordsOf(line).map((words) => ({ page: path, words, isWhole: true }))),
    ...mentions.flatMap((code) => wordsOf(code).map((words) => ({ page: path, words, isWhole: false }))),
  ];
});

/** Lines of a fence that a shell would run: all of a script, and of anything else those behind a prompt, or that begin like one. */
function commandLines({ language, text }: Page['fences'][number]): string[] {
  const lines = text.replace(/\\\n\s*/g, ' ').split('\n');
  if (/^(ba)?sh$/.test(language)) return lines.map((line) => line.replace(/^\$ /, ''));
  return lines.filter((line) => /^(\$|npx|npm) /.test(line)).map((line) => line.replace(/^\$ /, ''));
}

/** The commands of a line, each as its words: what quotes hold is one word, and a comment is none. */
function wordsOf(line: string): string[][] {
  const commands: string[][] = [[]];
  for (const [token] of line.matchAll(
    /'[^']*'|"[^"]*"|#.*$|&&|[|;&<>()]+|[^\s|;&<>()'"]+(?:'[^']*'|"[^"]*")?/g,
  )) {
    if (token.startsWith('#')) break;
    if (/^[|;&<>()]+$/.test(token)) commands.push([]);
    else commands.at(-1)!.push(token.replace(/^['"](.*)['"]$/, '$1'));
  }
  return commands.filter((words) => words.length > 0);
}

/** What of ours a command is of: a script of npm, or words behind `ncs4cvr`. */
function argumentsOf(words: readonly string[], ...before: readonly string[]): readonly string[] | undefined {
  const at = before[0] === 'ncs4cvr' && words[0] === 'npx' ? 1 : 0;
  return before.every((word, place) => words[at + place] === word)
    ? words.slice(at + before.length)
    : undefined;
}

const COMMANDS = SHOWN.flatMap(({ words, ...shown }) => {
  const args = argumentsOf(words, 'ncs4cvr') ?? (isShortMention(words) ? words : []);
  return args.length === 0 ? [] : [{ ...shown, args, line: words.join(' ') }];
});

/** Pages mention commands as `gc --scores URI` too. */
function isShortMention([name, ...rest]: readonly string[]): boolean {
  return rest.some((word) => word.startsWith('--')) && program.commands.some((each) => each.name() === name);
}

/** Words in capitals stand for what a reader puts in; so do dots. */
const isPlaceholder = (word: string) => /^[A-Z][A-Z0-9_.-]*$|\.\.\.|\$|[[\]]/.test(word);

/** What is wrong with a command that a page shows. */
function problemsOf(args: readonly string[], isWhole: boolean): string[] {
  const [name, ...rest] = args;
  const known = [...program.options, ...program.createHelp().visibleOptions(program)];
  if (name!.startsWith('-')) {
    return known.some(({ long, short }) => long === name || short === name) ? [] : [`no option ${name}`];
  }
  if (isPlaceholder(name!)) return [];
  const command = program.commands.find((each) => each.name() === name);
  if (command === undefined) return [`no command ${name}`];
  return [...optionProblems(command, rest, isWhole)];
}

function* optionProblems(command: Command, words: readonly string[], isWhole: boolean): Generator<string> {
  const help = command.createHelp();
  const options = [...help.visibleOptions(command), ...program.options];
  const seen = new Set<string>();
  const values: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!.replace(/^\[|\]$/g, '');
    if (!word.startsWith('--')) {
      values.push(word);
      continue;
    }
    const [long, joined] = word.split('=', 2);
    const option = options.find((each) => each.long === long);
    if (option === undefined) {
      yield `${command.name()} has no option ${long}`;
      continue;
    }
    seen.add(option.long!);
    if (!option.required && !option.optional) continue;
    const value = (joined ?? words[++at])?.replace(/\]$/, '');
    if (value === undefined) {
      if (isWhole) yield `${long} needs a value`;
    } else if (isPlaceholder(value)) continue;
    else if (option.argChoices !== undefined && !option.argChoices.includes(value)) {
      yield `${long} takes ${option.argChoices}, not ${value}`;
    } else if (option.parseArg !== undefined) {
      try {
        option.parseArg(value, undefined as never);
      } catch (error) {
        yield `${long} ${value}: ${(error as Error).message}`;
      }
    }
  }
  const most = command.registeredArguments.length;
  if (values.length > most && !values.includes('...')) yield `${command.name()} takes no '${values[most]}'`;
  if (!isWhole || words.includes('...') || words.includes('--help')) return;
  const least = command.registeredArguments.filter(({ required }) => required).length;
  if (values.length < least) yield `${command.name()} needs ${least} arguments`;
  for (const { long, mandatory } of command.options) {
    if (mandatory && !seen.has(long!)) yield `${command.name()} needs ${long}`;
  }
}

describe('what is wrong with a shown command is found', () => {
  test.each([
    ['plann --model M', 'no command plann'],
    ['plan --modle M --input I --scores S', 'plan has no option --modle'],
    ['plan --model', '--model needs a value'],
    ['diff --scores S --partition P --rank-by pctx', '--rank-by takes pctr,pcvr,pctcvr, not pctx'],
    ['plan --job J --from yesterday --to DATE', '--from yesterday: expected a date, YYYY-MM-DD'],
    ['evaluate --model M BUNDLE', "evaluate takes no 'BUNDLE'"],
    ['train --data D --output O', 'train needs 1 arguments'],
    ['run --workers 2', 'run needs --plan'],
    ['--versions', 'no option --versions'],
  ])('in `ncs4cvr %s`', (line, problem) => {
    expect(problemsOf(wordsOf(line)[0]!, true)).toContain(problem);
  });
});

describe('commands that pages show', () => {
  test('exist, with the options and values that they are shown with', () => {
    expect(COMMANDS.length).toBeGreaterThan(100);
    const wrong = COMMANDS.flatMap(({ page, args, isWhole, line }) =>
      problemsOf(args, isWhole).map((problem) => `${page}: ${line}: ${problem}`),
    );
    expect(wrong).toEqual([]);
  });

  test('are all commands: no page leaves one out', () => {
    const shown = new Set(
      COMMANDS.filter(({ page }) => page !== 'docs/reference/commands.md').map(({ args }) => args[0]),
    );
    expect(program.commands.map((command) => command.name()).filter((name) => !shown.has(name))).toEqual([]);
  });

  test('of npm are scripts of package.json', () => {
    const names = SHOWN.flatMap(({ page, words }) => {
      const args = argumentsOf(words, 'npm', 'run');
      return args === undefined || args.length === 0
        ? []
        : [{ page, name: args.find((word) => !word.startsWith('-'))! }];
    });
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter(({ name }) => !isPlaceholder(name) && scripts[name] === undefined)).toEqual([]);
  });

  test('of Node run files that are there', () => {
    const files = SHOWN.flatMap(({ page, words }) => {
      const file =
        words[0] === 'node' ? words.slice(1).find((word) => /\.[mc]?[jt]s$/.test(word)) : undefined;
      return file === undefined || file.startsWith('dist/') ? [] : [{ page, file }];
    });
    expect(files.filter(({ file }) => !existsSync(project + file))).toEqual([]);
  });
});
