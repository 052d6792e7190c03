/** A piece of HTML that is safe to put into a page as it is; all other values are shown as text. */
export class Html {
  readonly text: string;

  /** @param text HTML that was made by this project, never by a user's data */
  constructor(text: string) {
    this.text = text;
  }
}

/** What a template takes: HTML as it is, everything else as text, lists joined, and nothing for null or false. */
type HtmlValue = Html | string | number | null | undefined | false | readonly HtmlValue[];

/** A template whose values can't break out of it: names come from users' data. */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new Html(
    strings.map((part, index) => `${part}${index < values.length ? asHtml(values[index]) : ''}`).join(''),
  );
}

function asHtml(value: HtmlValue): string {
  if (value instanceof Html) return value.text;
  if (value === null || value === undefined || value === false) return '';
  if (typeof value === 'object') return value.map(asHtml).join('');
  return String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** The id of a heading, such as `score-shift`; two titles may have the same one. */
export function slugOf(title: string): string {
  const slug = title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  return slug === '' ? 'section' : slug;
}
