import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, test } from 'vitest';

const project = fileURLToPath(new URL('../../', import.meta.url));
const CODE = /^[A-Z]+(?:_[A-Z0-9]+)+$/;

/** What looks like a code and is none of this project's errors. */
const OTHER_WORDS: Readonly<Record<string, readonly string[]>> = {
  'reasons of dead letters': ['KEY_NULL', 'TEXT_NOT_UTF8', 'TIMESTAMP_RANGE'],
  'errors of Node': ['ERR_SCRIPT_EXECUTION_TIMEOUT', 'ERR_BUFFER_TOO_LARGE'],
  'types of Parquet': ['BYTE_ARRAY', 'FIXED_LEN_BYTE_ARRAY'],
  'settings of the AWS SDK': [
    ...['AWS_REQUEST_CHECKSUM_CALCULATION', 'AWS_RESPONSE_CHECKSUM_VALIDATION'],
    ...['WHEN_REQUIRED', 'WHEN_SUPPORTED'],
  ],
  'states of Step Functions': ['TIMED_OUT', 'PENDING_REDRIVE', 'REDRIVABLE_BY_MAP_RUN'],
};

/** Every string of the sources that looks like a code; comments are none. */
function wordsOfSources(): Set<string> {
  const files = ['lib', 'functions'].flatMap((folder) =>
    readdirSync(`${project}${folder}`, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => `${project}${folder}/${file}`),
  );
  const words = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) && CODE.test(node.text)) words.add(node.text);
    ts.forEachChild(node, visit);
  };
  for (const file of files)
    visit(ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022));
  return words;
}

test('the table of errors in docs/operations.md has every code of the sources once, and no other', () => {
  const manual = readFileSync(`${project}docs/operations.md`, 'utf8');
  const table = manual.slice(manual.indexOf('\n## Errors\n'));
  const listed = [...table.matchAll(/^\| (`.*?`) \| .+ \| .+ \|$/gm)].flatMap(([, codes]) =>
    codes!
      .split(', ')
      .map((code) => code.replaceAll('`', ''))
      .filter((code) => CODE.test(code)),
  );
  expect(listed.length).toBeGreaterThan(100);
  expect(listed.filter((code, at) => listed.indexOf(code) < at)).toEqual([]);
  const words = wordsOfSources();
  const others = Object.values(OTHER_WORDS).flat();
  expect(others.filter((word) => !words.has(word))).toEqual([]);
  expect([...words].filter((word) => !others.includes(word)).sort()).toEqual(listed.sort());
});
