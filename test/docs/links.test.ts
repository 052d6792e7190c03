import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';
import { anchorsOf, type Page, pages, project } from './pages.ts';

const PAGES = pages();
const ANCHORS = new Map(PAGES.map((page) => [page.path, anchorsOf(page)]));

interface Link {
  readonly page: string;
  /** From the project's root. */
  readonly path: string;
  readonly anchor: string | undefined;
}

/** Links of a page to other places of this project. */
function linksOf({ path: page, text }: Page): Link[] {
  const prose = text.replace(/`(?:[^`\n]|\n(?!\n))*`/g, '`code`');
  const targets = [...prose.matchAll(/\]\(([^)\s]+)\)/g), ...prose.matchAll(/^\[[^\]]+\]: (\S+)/gm)];
  return targets
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [file, anchor] = target.split('#') as [string, string | undefined];
      return { page, path: file === '' ? page : normalize(join(dirname(page), file)), anchor };
    });
}

const LINKS = PAGES.flatMap(linksOf);
const shown = ({ page, path, anchor }: Link) =>
  `${page} -> ${path}${anchor === undefined ? '' : `#${anchor}`}`;

test('every link of a page leads to a file or folder that is there', () => {
  expect(LINKS.length).toBeGreaterThan(120);
  expect(LINKS.filter(({ path }) => !existsSync(project + path)).map(shown)).toEqual([]);
});

test('every anchor of a link is a heading of its page', () => {
  const anchored = LINKS.filter(({ anchor }) => anchor !== undefined);
  expect(anchored.length).toBeGreaterThan(50);
  expect(anchored.filter(({ path, anchor }) => !ANCHORS.get(path)?.has(anchor!)).map(shown)).toEqual([]);
});

/** Files of the source that a page names in its text, such as `lib/base/errors.ts`; not names with a placeholder. */
function namedFiles({ path: page, text }: Page): Link[] {
  const paths = text.matchAll(
    /`((?:lib|functions|infra|kernels|scripts|test|bench|examples)\/[\w./-]+\.\w+)`/g,
  );
  return [...paths].map(([, path]) => ({ page, path: path!, anchor: undefined }));
}

test('every source file that a page names in its text is there', () => {
  const named = PAGES.filter(({ path }) => path !== 'CHANGELOG.md').flatMap(namedFiles);
  expect(named.length).toBeGreaterThan(120);
  expect(named.filter(({ path }) => !existsSync(project + path)).map(shown)).toEqual([]);
});

test('no page of the package links to a file that only a checkout has', () => {
  const { files } = JSON.parse(readFileSync(`${project}package.json`, 'utf8')) as { files: string[] };
  const always = ['README.md', 'LICENSE', 'package.json'];
  const isPackaged = (path: string) =>
    [...files, ...always].some((pattern) => {
      const [folder, name] = pattern.split('*') as [string, string | undefined];
      if (name !== undefined) return path.startsWith(folder) && path.endsWith(name);
      return path === pattern || path.startsWith(`${pattern}/`) || path === `${pattern}/`;
    });
  const fromPackage = LINKS.filter(({ page }) => isPackaged(page));
  expect(fromPackage.length).toBeGreaterThan(120);
  expect(fromPackage.filter(({ path }) => !isPackaged(path)).map(shown)).toEqual([]);
});
