import { Html, html } from './html.ts';

export interface TableColumn {
  readonly title: string;
  /** Numbers are right-aligned; long text is left room to wrap. Text by default. */
  readonly kind?: 'text' | 'number' | 'long';
}

export interface DataTable {
  /** What the rows are, for those who don't see what stands around the table. */
  readonly caption: string;
  /** The first one names the rows. */
  readonly columns: readonly TableColumn[];
  readonly rows: readonly (readonly (string | number | Html)[])[];
}

/** Tables with more columns become a card per row on a phone, so that none of them is out of sight. */
const MOST_PHONE_COLUMNS = 3;

/**
 * A table whose rows and columns have headers. What is too wide for the page scrolls by itself, by keyboard too. The roles say
 * again what the elements are: on a phone they are laid out as cards, and some browsers then forget it.
 */
export function dataTable({ caption, columns, rows }: DataTable): Html {
  if (rows.length === 0) return html`<p class="note">${caption}: none.</p>`;
  const isWide = columns.length > MOST_PHONE_COLUMNS;
  const kindOf = (index: number) => columns[index]?.kind ?? 'text';
  const cell = (value: string | number | Html, index: number) => {
    if (index === 0)
      return html`<th role="rowheader" scope="row">${typeof value === 'string' ? breakable(value) : value}</th>`;
    const title = columns[index]!.title;
    return html`<td role="cell" class="${kindOf(index)}"${isWide && title !== '' && html` data-label="${title}"`}>${value}</td>`;
  };
  return html`<div class="scroll" role="region" tabindex="0" aria-label="${caption}"><table role="table"${isWide && html` class="cards"`}>
<caption>${caption}</caption>
<thead role="rowgroup"><tr role="row">${columns.map(({ title }, index) => html`<th role="columnheader" scope="col" class="${kindOf(index)}">${breakable(title)}</th>`)}</tr></thead>
<tbody role="rowgroup">${rows.map((row) => html`<tr role="row">${row.map(cell)}</tr>\n`)}</tbody></table></div>`;
}

/** Names such as `click.auc` and `repeatedContent` may go on in the next line after a point or before a capital. */
function breakable(title: string): Html {
  return html`${title.split(/(?<=\.)|(?<=[a-z])(?=[A-Z])/).map((piece, index) => html`${index > 0 && new Html('<wbr>')}${piece}`)}`;
}

/** Folded away until somebody asks for it. */
export function folded(summary: string, body: Html): Html {
  return html`<details><summary>${summary}</summary>${body}</details>`;
}
