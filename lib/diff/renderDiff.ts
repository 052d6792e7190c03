import { escapeHtml, htmlPage, htmlTable } from '../base/htmlPage.ts';
import { formatTable } from '../base/textTable.ts';
import { diffSections } from './diffSections.ts';
import type { StateDiff } from './diffStates.ts';

/** A diff as text for a terminal. */
export function diffText(diff: StateDiff): string {
  const sections = diffSections(diff).map(({ title, note, header, rows }) => {
    const table = header.every((name) => name === '') ? rows : [header, ...rows];
    return `${title}\n${formatTable(table, { leftColumns: 1 })}\n${note}\n`;
  });
  return [`${diff.partition}\n`, ...sections].join('\n');
}

/** A diff as one HTML page without scripts; nothing is fetched. */
export function diffPage(diff: StateDiff): string {
  const sections = diffSections(diff).map(({ title, note, header, rows }) => {
    const table = htmlTable(
      header.map(escapeHtml),
      rows.map((row) => row.map(escapeHtml)),
    );
    return `<h2>${escapeHtml(title)}</h2>\n${table}\n<p>${escapeHtml(note)}</p>`;
  });
  const { partition, from, to } = diff;
  const title = `${partition}: ${from.model.version} to ${to.model.version}`;
  return htmlPage(`ncs4cvr: ${title}`, [`<h1>${escapeHtml(title)}</h1>`, ...sections].join('\n'));
}
