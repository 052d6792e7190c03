import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const project = fileURLToPath(new URL('../../', import.meta.url));

/** A page of Markdown, without what its fences hold, and what they hold. */
export interface Page {
  /** From the project's root. */
  readonly path: string;
  /** Fences left out. */
  readonly text: string;
  readonly fences: readonly { readonly language: string; readonly text: string }[];
}

/** Every page of the repository, whether it is committed yet or not. */
export function pages(): readonly Page[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
    cwd: project,
    encoding: 'utf8',
  });
  return [...new Set(listed.split('\n'))].filter((path) => path !== '').map(readPage);
}

function readPage(path: string): Page {
  const fences: { language: string; text: string }[] = [];
  const text = readFileSync(project + path, 'utf8').replace(
    /^( *)```(\S*)\n(.*?)^\1```$/gms,
    (_, _indent, language: string, text: string) => {
      fences.push({ language, text });
      return '';
    },
  );
  return { path, text, fences };
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf({ text }: Page): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, heading] of text.matchAll(/^#{1,6} (.*)$/gm)) {
    const plain = heading!
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .trim()
      .toLowerCase();
    const anchor = plain.replace(/[^\p{L}\p{N}\p{M}\p{Pc} -]/gu, '').replaceAll(' ', '-');
    let name = anchor;
    for (let place = 1; anchors.has(name); place++) name = `${anchor}-${place}`;
    anchors.add(name);
  }
  return anchors;
}
