import { existsSync, readFileSync } from 'node:fs';
import { Ncs4cvrError } from '../base/errors.ts';

/** The operators' manual has the one table of codes, what each means and what to do; it is part of the package. */
const MANUAL = ['../../docs/operations.md', '../../../docs/operations.md'].map(
  (path) => new URL(path, import.meta.url),
);

const CODE = /[A-Z]+(?:_[A-Z0-9]+)+/g;

let remedies: ReadonlyMap<string, string> | undefined;

/**
 * What the manual says to do about an error, without its markup; undefined for codes that speak for themselves.
 * @internal exported for tests: no error is made of each code there
 */
export function remedyOf(code: string): string | undefined {
  remedies ??= readRemedies();
  return remedies.get(code);
}

/** The same of an error that was thrown; undefined for those of others. */
export function remedyFor(error: unknown): string | undefined {
  return error instanceof Ncs4cvrError ? remedyOf(error.code) : undefined;
}

/** What the manual says to do about the codes that messages name, each once; of a message its first code that needs telling. */
export function remediesIn(messages: readonly string[]): string[] {
  const found = messages.flatMap((message) => {
    const codes = message.match(CODE) ?? [];
    return codes.map(remedyOf).find((remedy) => remedy !== undefined) ?? [];
  });
  return [...new Set(found)];
}

/** Each once, behind all that has failed: what broke one night has often broken several. */
export function toDoLines(remedies: readonly string[]): string {
  return [...new Set(remedies)].map((remedy) => `what to do: ${remedy}\n`).join('');
}

function readRemedies(): ReadonlyMap<string, string> {
  const manual = MANUAL.find((url) => existsSync(url));
  // Without its docs the command still works.
  if (manual === undefined) return new Map();
  const text = readFileSync(manual, 'utf8');
  const rows = text.slice(text.indexOf('\n## Errors\n')).matchAll(/^\| (`.*?`) \| .* \| (.*?) \|$/gm);
  return new Map(
    [...rows].flatMap(([, codes, remedy]) =>
      // Such as `see the message`: it stands just above.
      /^(see|as) the \w+( says?)?$/.test(remedy!)
        ? []
        : [...codes!.matchAll(CODE)].map(([code]) => [code, withoutMarkup(remedy!)] as const),
    ),
  );
}

function withoutMarkup(text: string): string {
  return text
    .replace(
      /\[([^\]]+)\]\(([^)#]*)[^)]*\)/g,
      (_, words: string, page: string) => `${words} (docs/${page === '' ? 'operations.md' : page})`,
    )
    .replaceAll('`', '');
}
