import { type Html, html } from '../page/html.ts';
import { badge } from '../page/renderPage.ts';

/** What a page lacks since it couldn't be read, by UnreadableFiles. */
export function unreadableNote(problems: readonly string[]): Html | false {
  return (
    problems.length > 0 &&
    html`<p>${badge('warn', 'not everything could be read')} This page does without:</p>
<ul>${problems.map((problem) => html`<li>${problem}</li>`)}</ul>`
  );
}
