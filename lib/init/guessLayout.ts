import { layOutPartition, parsePartitionLayout } from '../job/partitionLayout.ts';

/** Forms of a day and an hour in a folder's value, the likeliest first. */
const FORMS: readonly (readonly [RegExp, string])[] = [
  [/^\d{4}-\d{2}-\d{2}$/, '%Y-%m-%d'],
  [/^\d{8}$/, '%Y%m%d'],
  [/^\d{4}-\d{2}-\d{2}-\d{2}$/, '%Y-%m-%d-%H'],
  [/^\d{10}$/, '%Y%m%d%H'],
];
/** 2022/05/06, 2022-05-06, 20220506, at any depth. */
const DATED_FOLDER = /(^|\/)(19|20)\d\d([-/_]?)(0[1-9]|1[0-2])\3(0[1-9]|[12]\d|3[01])(\/|$)/;
const CALENDAR = {
  year: '%Y',
  yyyy: '%Y',
  month: '%m',
  mm: '%m',
  day: '%d',
  dd: '%d',
  hour: '%H',
  hh: '%H',
  hr: '%H',
};

/** What the folders of the shards say of how they are partitioned. */
export interface GuessedLayout {
  /** As in a job document; undefined without folders of the form key=value. */
  readonly layout: string | undefined;
  /** A folder that looks like a day without being a partition, such as `2022/05/06`; only without a layout. */
  readonly datedFolder?: string | undefined;
  /** A folder of shards that lies beside the partitions, such as `archive`; only with a layout. */
  readonly strayFolder?: string | undefined;
  /** YYYY-MM-DD of every partition that has one, ascending, each once. */
  readonly days: readonly string[];
}

/** @param folders of the shards below the root, such as `dt=2022-05-06/hour=07` */
export function guessLayout(folders: readonly string[]): GuessedLayout {
  const paths = [...new Set(folders)].map((folder) => folder.split('/').filter((piece) => piece !== ''));
  const keys = commonKeys(paths);
  const isHive = (path: readonly string[]) =>
    path.length === keys.length && path.every((piece, index) => piece.startsWith(`${keys[index]}=`));
  const laidOut = paths.filter(isHive);
  if (keys.length === 0) {
    const datedFolder = folders.find((folder) => DATED_FOLDER.test(folder));
    return { layout: undefined, days: [], datedFolder };
  }
  const segments = keys.map((key, index) => {
    const values = laidOut.map((path) => path[index]!.slice(key.length + 1));
    return `${key}=${formOf(key, values)}`;
  });
  const isWithin = (path: readonly string[]) =>
    keys.every((key, index) => path[index]?.startsWith(`${key}=`));
  const stray = paths.find((path) => !isWithin(path));
  const text = completeTime(segments) ? segments.join('/') : keys.map((key) => `${key}=*`).join('/');
  return {
    layout: text,
    days: daysOf(
      text,
      laidOut.map((path) => path.join('/')),
    ),
    strayFolder: stray && (stray.join('/') || '.'),
  };
}

/** What to do about folders that keep shards from being scored day by day; undefined where there are none. */
export function folderAdvice({ datedFolder, strayFolder }: GuessedLayout): string | undefined {
  if (datedFolder !== undefined) {
    return `Folders such as ${datedFolder} look like days; to score day by day, write them as key=value, such as dt=2022-05-06 or year=2022/month=05/day=06.`;
  }
  if (strayFolder !== undefined) {
    return `Shards in ${strayFolder === '.' ? 'the input itself' : strayFolder} are of no partition: a split by date refuses them, and no run scores them. Move them away.`;
  }
  return undefined;
}

/** What stands before the `=` of most folders that are of such pieces alone: others may lie beside them. */
function commonKeys(paths: readonly (readonly string[])[]): readonly string[] {
  const found = new Map<string, { readonly keys: readonly string[]; count: number }>();
  for (const path of paths) {
    if (path.length === 0 || !path.every((piece) => piece.indexOf('=') > 0)) continue;
    const keys = path.map((piece) => piece.slice(0, piece.indexOf('=')));
    const known = found.get(keys.join('/')) ?? { keys, count: 0 };
    known.count++;
    found.set(keys.join('/'), known);
  }
  const most = Math.max(...[...found.values()].map(({ count }) => count));
  return [...found.values()].find(({ count }) => count === most)?.keys ?? [];
}

/** YYYY-MM-DD of those folders that are partitions of a day, ascending, each once. */
export function daysOf(layoutText: string, folders: readonly string[]): string[] {
  const layout = parsePartitionLayout(layoutText);
  const days = folders.flatMap((folder) => {
    const partition = layOutPartition(layout, folder);
    return typeof partition === 'string' || partition.day === undefined ? [] : [partition.day];
  });
  return [...new Set(days)].sort();
}

/** What most of the values look like: folders such as `dt=test` stand beside days. */
function formOf(key: string, values: readonly string[]): string {
  const byName = Object.entries(CALENDAR).find(([name]) => name === key.toLowerCase())?.[1];
  // A key `day` may hold the whole of it, 20220506.
  const digits = byName === '%Y' ? /^\d{4}$/ : /^\d{1,2}$/;
  if (byName !== undefined && values.some((value) => digits.test(value))) return byName;
  const form = FORMS.find(
    ([pattern]) => 2 * values.filter((value) => pattern.test(value)).length > values.length,
  );
  return form?.[1] ?? '*';
}

/** Days and hours only mean something together with the parts of a time above them, each named once. */
function completeTime(segments: readonly string[]): boolean {
  const directives = segments.join('/').match(/%[YmdH]/g) ?? [];
  const named = new Set(directives);
  const isDay = ['%Y', '%m', '%d'].every((each) => named.has(each));
  return named.size === directives.length && (named.size === 0 || isDay);
}
