import { formatTable } from '../base/textTable.ts';
import { dataTable } from '../page/dataTable.ts';
import { html } from '../page/html.ts';
import { renderPage } from '../page/renderPage.ts';
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
  const { partition, from, to } = diff;
  const title = `${partition}: ${from.model.version} to ${to.model.version}`;
  return renderPage({
    title,
    heading: title,
    lead: html`<p>How scores and ranks differ between two states, joined by their row keys (${diff.keys.join(', ')}).</p>`,
    sections: diffSections(diff).map(({ title, note, header, rows }) => ({
      title,
      body: html`${dataTable({
        caption: title,
        columns: header.map((name, index) => ({
          title: name === '' && index > 0 ? 'value' : name,
          kind: index === 0 ? ('text' as const) : ('number' as const),
        })),
        rows,
      })}
<p class="note">${note}</p>`,
    })),
  });
}
