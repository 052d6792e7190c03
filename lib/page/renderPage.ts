import { CODE_VERSION } from '../base/codeVersion.ts';
import { type Html, html, slugOf } from './html.ts';
import { PAGE_STYLE } from './pageStyle.ts';

/** A headed block of a page; its heading is in the page's list of contents. */
export interface PageSection {
  readonly title: string;
  readonly body: Html;
}

export interface Page {
  /** Of the browser's tab, after the project's name. */
  readonly title: string;
  readonly heading: string;
  /** Below the heading: what the page is of. */
  readonly lead: Html;
  readonly sections: readonly PageSection[];
}

/**
 * One HTML page without scripts that fetches nothing: it is mailed around and opened from disk, years later. Light or dark as
 * the reader's system says; sections are reached by keyboard from a list at its top.
 */
export function renderPage({ title, heading, lead, sections }: Page): string {
  const ids = idsOf(sections.map((section) => section.title));
  // Not in the template's own braces, which would escape it.
  const style = `<style>${PAGE_STYLE}</style>`;
  const head = html`<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>ncs4cvr: ${title}</title>`;
  const body = html`<a class="skip" href="#content">Skip to the content</a>
<header><h1>${heading}</h1>
${lead}
<nav aria-label="Sections"><ul>${sections.map((section, index) => html`<li><a href="#${ids[index]}">${section.title}</a></li>`)}</ul></nav>
</header>
<main id="content">
${sections.map(
  (
    section,
    index,
  ) => html`<section aria-labelledby="${ids[index]}"><h2 id="${ids[index]}">${section.title}</h2>
${section.body}
</section>
`,
)}</main>
<footer><p>Made by ncs4cvr ${CODE_VERSION}. This page is one file: it has no scripts and loads nothing.</p></footer>`;
  return `<!doctype html>\n<html lang="en"><head>${head.text}${style}</head><body>\n${body.text}\n</body></html>\n`;
}

/** Different titles may have one slug. */
function idsOf(titles: readonly string[]): string[] {
  const counts = new Map<string, number>();
  return titles.map((title) => {
    const slug = slugOf(title);
    const count = (counts.get(slug) ?? 0) + 1;
    counts.set(slug, count);
    return count === 1 ? slug : `${slug}-${count}`;
  });
}

/** A number that says something by itself, with what it is below its name. */
export interface Fact {
  readonly name: string;
  readonly value: string | Html;
  /** Such as what was expected. */
  readonly detail?: string | undefined;
}

export function factList(facts: readonly Fact[]): Html {
  const entries = facts.map(
    ({ name, value, detail }) =>
      html`<div><dt>${name}</dt><dd>${value}${detail !== undefined && html`<small>${detail}</small>`}</dd></div>`,
  );
  return html`<dl class="facts">${entries}</dl>`;
}

/** How a state is coloured; what it is stands in its text. */
export type Tone = 'good' | 'warn' | 'bad' | 'neutral';

export function badge(tone: Tone, text: string): Html {
  return html`<span class="badge ${tone}">${text}</span>`;
}
