/** The section of a page under a heading, as HTML. */
export function sectionOf(page: string, title: string): string {
  const found = [...page.matchAll(/<section .*?<\/section>/gs)]
    .map(([section]) => section)
    .find((section) => new RegExp(`<h2 [^>]*>${title}</h2>`).test(section));
  if (found === undefined) throw new Error(`no section '${title}'`);
  return found;
}

/** What a reader sees of some HTML, in one line. */
export function textOf(html: string): string {
  return html
    .replaceAll(/<svg .*?<\/svg>/gs, ' ')
    .replaceAll('<wbr>', '')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
    .replaceAll(/\s+/g, ' ')
    .trim();
}

/** The rows of the table with a caption, cells as text, without the header. */
export function tableOf(html: string, caption: string): string[][] {
  const table = [...html.matchAll(/<table .*?<\/table>/gs)]
    .map(([found]) => found)
    .find((found) => textOf(/<caption>(.*?)<\/caption>/s.exec(found)?.[1] ?? '') === caption);
  if (table === undefined) throw new Error(`no table '${caption}'`);
  return rowsOf(table);
}

/** Rows of all tables, in their order. */
export function tablesOf(html: string): string[][][] {
  return [...html.matchAll(/<table .*?<\/table>/gs)].map(([table]) => rowsOf(table));
}

function rowsOf(table: string): string[][] {
  const [, body] = /<tbody.*?>(.*)<\/tbody>/s.exec(table)!;
  return [...body!.matchAll(/<tr.*?>(.*?)<\/tr>/gs)].map(([, row]) =>
    [...row!.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/gs)].map(([, cell]) => textOf(cell!)),
  );
}
