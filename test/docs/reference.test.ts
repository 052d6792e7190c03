import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { commandsPage } from './commandsPage.ts';
import { documentsPage } from './documentsPage.ts';

const folder = fileURLToPath(new URL('../../docs/reference/', import.meta.url));
const documents = documentsPage();

describe('docs/reference is what `npm run docs:reference` writes', () => {
  test('documents.md has the keys, types, defaults and comments of the schemas', () => {
    expect(readFileSync(`${folder}documents.md`, 'utf8')).toBe(documents.page);
  });

  test('commands.md has the help of every command', async () => {
    expect(readFileSync(`${folder}commands.md`, 'utf8')).toBe(await commandsPage());
  });
});

test('every key of a document that people write has a meaning', () => {
  expect(documents.withoutMeaning).toEqual([]);
});

test('a key has its bounds, its default and the kind of object that has it', () => {
  expect(documents.page).toContain(
    '| `masks.rounds` of `imp` | whole number from 1 to 30 | `4` | Prunings per task, T; the search',
  );
  expect(documents.page).toContain(
    '| `split.validation` of `fraction` | number above 0 below 1 | required |',
  );
});

test('no key stands in two lines of a table', () => {
  const tables = documents.page.split(/^## /m).slice(1);
  expect(tables.length).toBeGreaterThan(8);
  for (const table of tables) {
    const keys = [...table.matchAll(/^\| (`[^|]*?) \|/gm)].map(([, key]) => key!);
    const twice = keys.filter((key, line) => keys.indexOf(key) < line);
    expect({ of: table.split('\n')[0], twice }).toEqual({ of: table.split('\n')[0], twice: [] });
  }
  expect(documents.page).toContain('| `inputs[].isFlat` of `elementType` |');
});
