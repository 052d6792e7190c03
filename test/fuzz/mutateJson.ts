import type { RandomStream } from '../../lib/base/randomStream.ts';
import { damagedBytes } from './mutateBytes.ts';

export interface JsonMutant {
  readonly bytes: Uint8Array;
  readonly damage: string;
}

type Place = readonly (string | number)[];

const HOSTILE: readonly unknown[] = [
  ...[
    null,
    true,
    false,
    0,
    -1,
    1,
    0.5,
    2 ** 31,
    2 ** 53,
    -(2 ** 53),
    1e308,
    '',
    ' ',
    '0',
    '1',
    'null',
    'NaN',
  ],
  ...['../../../outside', '..', '.', '/absolute', 'a/../../b', 'a//b', 'dt=1/../../..', '..\\..\\b', 'a\0b'],
  ...[
    '__proto__',
    'constructor',
    '\ud800',
    '💥',
    's3://other/bucket',
    'file:///outside',
    'x'.repeat(100_000),
  ],
  ...[[], {}, [[]], [null], { length: 1e9 }],
];

/** What a name must not be that becomes part of a path. */
const LEADING_OUT: readonly unknown[] = ['../../../outside', '..', '.', '/', 'a/../../../../b', '../x', ''];

/** A document with one of its values replaced, removed, added or repeated, or its text damaged. */
export function mutateJson(document: unknown, random: RandomStream): JsonMutant {
  const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const kind = random.nextBelow(10);
  if (kind === 0) {
    const { kind: damage, bytes } = damagedBytes(encode(document), random);
    return { bytes, damage: `${damage} in its text` };
  }
  if (kind === 1) {
    const depth = 10 ** (1 + random.nextBelow(5));
    const inner = `${'['.repeat(depth)}${']'.repeat(depth)}`;
    const text = JSON.stringify(withValue(document, placeIn(document, random), 'HERE'));
    return { bytes: new TextEncoder().encode(text.replace('"HERE"', inner)), damage: `lists, ${depth} deep` };
  }
  const place = placeIn(document, random);
  const name = place.join('.') || 'the document';
  if (kind === 2 && place.length > 0) {
    return { bytes: encode(withValue(document, place, undefined)), damage: `without ${name}` };
  }
  if (kind === 3) {
    const value = valueAt(document, place);
    const repeated = Array.isArray(value) ? Array.from({ length: 500 }, () => value).flat() : [value, value];
    return { bytes: encode(withValue(document, place, repeated)), damage: `${name} repeated` };
  }
  if (kind === 4) {
    const value = valueAt(document, place);
    const more = typeof value === 'object' && value !== null ? { ...value, unknown: 1 } : { unknown: value };
    return { bytes: encode(withValue(document, place, more)), damage: `an unknown key in ${name}` };
  }
  const hostiles = typeof valueAt(document, place) === 'string' && kind < 8 ? LEADING_OUT : HOSTILE;
  const hostile = hostiles[random.nextBelow(hostiles.length)];
  const shown = (JSON.stringify(hostile) ?? 'undefined').slice(0, 40);
  return { bytes: encode(withValue(document, place, hostile)), damage: `${name} is ${shown}` };
}

/** Any value within the document: deep ones are as likely as others. */
function placeIn(document: unknown, random: RandomStream): Place {
  const places: Place[] = [];
  const visit = (value: unknown, place: Place) => {
    places.push(place);
    if (Array.isArray(value)) {
      for (const [index, item] of value.slice(0, 20).entries()) visit(item, [...place, index]);
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, item] of Object.entries(value)) visit(item, [...place, key]);
    }
  };
  visit(document, []);
  return places[random.nextBelow(places.length)]!;
}

function valueAt(document: unknown, place: Place): unknown {
  return place.reduce<unknown>((value, key) => (value as Record<string | number, unknown>)[key], document);
}

/** A copy; undefined leaves the key out. */
function withValue(document: unknown, place: Place, value: unknown): unknown {
  const [key, ...rest] = place;
  if (key === undefined) return value;
  if (Array.isArray(document)) {
    return document.map((item, index) => (index === key ? withValue(item, rest, value) : item));
  }
  const record = document as Record<string, unknown>;
  return { ...record, [key]: withValue(record[key], rest, value) };
}
