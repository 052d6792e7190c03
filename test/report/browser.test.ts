import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import axe from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { everyPage } from './pages.ts';

const folder = temporaryFolder();

// Every page in a real browser: Chromium, of Debian's package `chromium` or wherever CHROMIUM_PATH says.
const CANDIDATES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const executablePath = process.env.CHROMIUM_PATH ?? CANDIDATES.find(existsSync);
if (executablePath === undefined) {
  console.warn(
    '\n*** NO BROWSER: the pages are not tested in Chromium. `apt-get install chromium`, or set CHROMIUM_PATH. ***\n',
  );
}

const LIMIT = 300_000;
const VIEWS = [
  { name: 'light', colorScheme: 'light', width: 1200 },
  { name: 'dark', colorScheme: 'dark', width: 1200 },
  { name: 'dark phone', colorScheme: 'dark', width: 375 },
] as const;
type View = (typeof VIEWS)[number];
const NAMES = ['blocked', 'run', 'partitions', 'model', 'score', 'comparison', 'diff'] as const;
const CASES = NAMES.flatMap((name) => VIEWS.map((view) => ({ name, view })));

describe.skipIf(executablePath === undefined)('every page, in a browser', () => {
  let browser: Browser;
  const files = new Map<string, string>();

  beforeAll(async () => {
    const pages = join(folder, 'pages');
    mkdirSync(pages, { recursive: true });
    for (const [name, html] of await everyPage()) {
      files.set(name, join(pages, `${name}.html`));
      writeFileSync(files.get(name)!, html);
    }
    // As root, Chromium has no sandbox to start in.
    browser = await chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] });
  }, LIMIT);
  afterAll(() => browser?.close());

  /** Opens a page; what it says on the console and asks the network for is collected. */
  async function open(name: string, { colorScheme, width }: View) {
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    const messages: string[] = [];
    const requests: string[] = [];
    page.on('console', (message) => messages.push(message.text()));
    page.on('pageerror', (error) => messages.push(error.message));
    page.on('request', (request) => requests.push(request.url()));
    const url = pathToFileURL(files.get(name)!).href;
    await page.goto(url);
    return { page, url, messages, requests };
  }

  it.each(CASES)(
    '$name, $view.name: axe finds nothing, the console is silent, nothing is loaded, and nothing is wider than the screen',
    async ({ name, view }) => {
      const { page, url, messages, requests } = await open(name, view);
      try {
        expect(await widerThanScreen(page)).toEqual([]);
        // What is folded away is read by somebody, too.
        await page.evaluate('for (const each of document.querySelectorAll("details")) each.open = true');
        expect(await widerThanScreen(page)).toEqual([]);
        expect(messages).toEqual([]);
        expect(requests).toEqual([url]);
        await page.addScriptTag({ content: axe.source });
        const found = (await page.evaluate(
          // What is drawn is one image each, whose name is its caption.
          `axe.run({ exclude: ['figure svg'] }, { resultTypes: ['violations'] })`,
        )) as { violations: Violation[]; passes: unknown[] };
        expect(found.violations.map(describeViolation)).toEqual([]);
        expect(found.passes.length).toBeGreaterThan(15);
      } finally {
        await page.close();
      }
    },
    LIMIT,
  );

  it.each(NAMES)(
    '%s: a table breaks no word in two, however narrow the page is: it scrolls',
    async (name) => {
      const { page } = await open(name, VIEWS[0]);
      try {
        await page.evaluate('for (const each of document.querySelectorAll("details")) each.open = true');
        for (const width of [1200, 900, 660, 375]) {
          await page.setViewportSize({ width, height: 900 });
          expect({ width, broken: await brokenWords(page) }).toEqual({ width, broken: [] });
          expect(await widerThanScreen(page)).toEqual([]);
        }
      } finally {
        await page.close();
      }
    },
    LIMIT,
  );

  it(
    'draws its charts in the colours of the scheme, and of the width one of each',
    async () => {
      const looks = [];
      for (const view of VIEWS) {
        const { page } = await open('model', view);
        looks.push(
          (await page.evaluate(`(() => {
          const shown = [...document.querySelectorAll('figure svg[version]')].filter((svg) => svg.getBoundingClientRect().width > 0);
          const colour = getComputedStyle(shown[0].querySelector('text')).fill;
          const letters = shown[0].querySelector('text').getBoundingClientRect().height;
          return { figures: document.querySelectorAll('figure').length, shown: shown.length, colour, letters };
        })()`)) as { figures: number; shown: number; colour: string; letters: number },
        );
        await page.close();
      }
      for (const { figures, shown, letters } of looks) {
        expect(shown).toBe(figures);
        // Pixels: letters of a phone's drawing are as large as those of a desk's.
        expect(letters).toBeGreaterThan(9);
      }
      expect(looks[0]!.colour).not.toBe(looks[1]!.colour);
      expect(looks[2]!.colour).toBe(looks[1]!.colour);
    },
    LIMIT,
  );

  it(
    'is reached by keyboard: the first tab skips to the content, the next ones go through the list of sections',
    async () => {
      const { page } = await open('partition', VIEWS[0]);
      const focused = () => page.evaluate('document.activeElement.getAttribute("href")');
      await page.keyboard.press('Tab');
      expect(await focused()).toBe('#content');
      await page.keyboard.press('Tab');
      expect(await focused()).toBe('#at-a-glance');
      await page.keyboard.press('Enter');
      // The browser goes there after the key was taken, not before `press` returns.
      await page.waitForURL(/#at-a-glance$/);
      await page.close();
    },
    LIMIT,
  );
});

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string }[];
}

function describeViolation({ id, nodes }: Violation): string {
  return `${id}: ${nodes
    .slice(0, 3)
    .map(({ html }) => html.slice(0, 160))
    .join(' | ')}`;
}

/** Elements that reach beyond the screen's right edge, but for what scrolls by itself. */
async function widerThanScreen(page: Page): Promise<unknown> {
  return page.evaluate(`(() => {
    const wide = document.documentElement.scrollWidth > innerWidth;
    if (!wide) return [];
    return [...document.querySelectorAll('body *')]
      .filter((element) => element.getBoundingClientRect().right > innerWidth && element.closest('.scroll') === null)
      .slice(0, 5)
      .map((element) => element.outerHTML.slice(0, 120));
  })()`);
}

/** Words of tables that begin on one line and end on another; those that nobody could hold on a phone's line don't count. */
async function brokenWords(page: Page): Promise<unknown> {
  return page.evaluate(`(() => {
    const broken = new Set();
    const range = document.createRange();
    for (const cell of document.querySelectorAll('th, td')) {
      const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
      while (texts.nextNode()) {
        const node = texts.currentNode;
        for (const { 0: word, index } of node.data.matchAll(/[^\\s-]+/g)) {
          if (word.length > 24) continue;
          range.setStart(node, index);
          range.setEnd(node, index + word.length);
          // Said to screen readers alone, of a box of one pixel.
          if (node.parentElement.closest('.word') !== null && innerWidth <= 640) continue;
          const tops = new Set([...range.getClientRects()].map(({ top }) => Math.round(top)));
          if (tops.size > 1) broken.add(word);
        }
      }
    }
    return [...broken];
  })()`);
}
