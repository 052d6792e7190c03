import type { Type } from 'typescript';
import { z } from 'zod';
import type { KeyTypes } from './keyTypes.ts';

/** A key of a document, for a line of a table. */
export interface DocumentKey {
  /** Such as `features[].clip.min`. */
  readonly key: string;
  /** Values of the kind, or the like, of the objects that have it, or the key that only they have; empty if all have it. */
  readonly of: readonly string[];
  readonly type: string;
  readonly isRequired: boolean;
  /** As JSON. */
  readonly default: string | undefined;
  readonly meaning: string;
}

type Node = z.core.JSONSchema.JSONSchema & { readonly 'x-section'?: string };

/** Schemas that have a section of their own, by what the section is called. */
export type Sections = ReadonlyMap<z.core.$ZodType, string>;

const SAFE = Number.MAX_SAFE_INTEGER;

/** Every key of the documents of a schema, in its order. @param collapsed keys whose own keys nobody writes or reads by hand */
export function documentKeys(
  schema: z.ZodType,
  types: readonly Type[],
  keyTypes: KeyTypes,
  sections: Sections,
  collapsed: readonly string[],
): DocumentKey[] {
  const root = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const section = sections.get(zodSchema);
      if (section !== undefined && (zodSchema as z.core.$ZodType) !== schema)
        Object.assign(jsonSchema, { 'x-section': section });
    },
  }) as Node;

  const keysOf = (node: Node, path: string, at: readonly Type[]): DocumentKey[] => {
    if (collapsed.includes(path) || isSection(node)) return [];
    const alternatives = alternativesOf(node);
    const objects = alternatives.filter(({ properties }) => properties !== undefined);
    // Lists of one kind of object or of another: their keys are those of a list of either.
    const items = alternatives.flatMap((each) => (each.items === undefined ? [] : [each.items as Node]));
    const inLists =
      items.length === 0 ? [] : keysOf({ anyOf: items } as Node, `${path}[]`, keyTypes.elements(at));
    const inRecords = alternatives.flatMap((each) => {
      const values = each.additionalProperties;
      if (typeof values !== 'object' || each.properties !== undefined) return [];
      return keysOf(values as Node, `${path}.NAME`, keyTypes.elements(at));
    });
    return [
      ...(objects.length === 1 ? ownKeys(objects[0]!, path, at) : variantKeys(objects, path, at)),
      ...inLists,
      ...inRecords,
    ];
  };

  const ownKeys = (node: Node, path: string, at: readonly Type[]): DocumentKey[] =>
    Object.entries(node.properties ?? {}).flatMap(([name, value]) => {
      const child = value as Node;
      const key = path === '' ? name : `${path}.${name}`;
      const { types, comment } = keyTypes.key(at, name);
      const own: DocumentKey = {
        key,
        of: [],
        type: typeText(child),
        isRequired: node.required?.includes(name) ?? false,
        default: defaultText(child),
        meaning: comment,
      };
      const inner = keysOf(child, key, types);
      // A line that would only say that there are further ones.
      const isPlain = own.type === 'object' && own.meaning === '' && own.default === undefined;
      return isPlain && inner.length > 0 ? inner : [own, ...inner];
    });

  /** Objects that a constant tells apart: what all have stands once. */
  const variantKeys = (objects: readonly Node[], path: string, at: readonly Type[]): DocumentKey[] => {
    if (objects.length === 0) return [];
    const tag = Object.keys(objects[0]!.properties!).find((name) =>
      objects.every((each) => constantOf(each, name) !== undefined),
    );
    if (tag === undefined)
      return mergedKeys(
        objects.map((each) => ({
          value: keyOfItsOwn(each, objects, path),
          keys: ownKeys(each, path, at),
        })),
      );
    const variants = objects.map((each) => {
      const value = constantOf(each, tag)!;
      return { value, keys: ownKeys(each, path, keyTypes.withConstant(at, tag, value)) };
    });
    const tagKey = path === '' ? tag : `${path}.${tag}`;
    const meanings = variants.flatMap(({ value, keys }) => {
      const { meaning } = keys.find(({ key }) => key === tagKey)!;
      return meaning === '' ? [] : [`\`${value}\`: ${meaning}`];
    });
    const first = variants[0]!.keys.find(({ key }) => key === tagKey)!;
    const tagRow = {
      ...first,
      type: choice(variants.map(({ value }) => JSON.stringify(value))),
      meaning: meanings.join(' '),
    };
    const others = variants.map(({ value, keys }) => ({
      value,
      keys: keys.filter(({ key }) => key !== tagKey),
    }));
    return [tagRow, ...mergedKeys(others)];
  };

  return keysOf(root, '', types);
}

/** Is it, or what a list of it alone holds, described elsewhere? */
function isSection(node: Node): boolean {
  return alternativesOf(node).every((each) => each['x-section'] !== undefined);
}

/** Keys of all variants; what all have stands once. */
function mergedKeys(
  variants: readonly { readonly value: string; readonly keys: readonly DocumentKey[] }[],
): DocumentKey[] {
  const merged = new Map<string, DocumentKey>();
  for (const { value, keys } of variants) {
    for (const key of keys) {
      const id = JSON.stringify(key);
      merged.set(id, { ...key, of: [...(merged.get(id)?.of ?? []), value] });
    }
  }
  return [...merged.values()].map((key) => (key.of.length === variants.length ? { ...key, of: [] } : key));
}

/** The key that tells an object of a union from the others, a required one if there is any. */
function keyOfItsOwn(node: Node, all: readonly Node[], path: string): string {
  const names = [...(node.required ?? []), ...Object.keys(node.properties!)];
  const own = names.find((name) => all.every((each) => each === node || !(name in each.properties!)));
  if (own === undefined) throw new Error(`${path}: nothing tells the objects of a union apart`);
  return own;
}

function alternativesOf(node: Node): readonly Node[] {
  const alternatives = (node.anyOf ?? node.oneOf) as readonly Node[] | undefined;
  return alternatives === undefined ? [node] : alternatives.flatMap(alternativesOf);
}

function constantOf(node: Node, name: string): string | undefined {
  const value = (node.properties?.[name] as Node | undefined)?.const;
  return typeof value === 'string' ? value : undefined;
}

function typeText(node: Node): string {
  if (node['x-section'] !== undefined) return `see ${node['x-section']}`;
  const texts = alternativesOf(node).map((each) => {
    if (each.const !== undefined) return JSON.stringify(each.const);
    if (each.enum !== undefined) return choice(each.enum.map((value) => JSON.stringify(value)));
    if (each.items !== undefined) return `list of ${typeText(each.items as Node)}`;
    if (each.type === 'integer' || each.type === 'number') return numberText(each);
    if (each.type === 'boolean') return 'true or false';
    if (each.format === 'date') return 'day, YYYY-MM-DD';
    if (each.format === 'date-time') return 'time, ISO 8601 in UTC';
    if (each.type === 'string') return 'text';
    if (each.type === 'null') return 'null';
    if (each.properties !== undefined) return 'object';
    if (typeof each.additionalProperties === 'object') return 'object, keys are free';
    return 'any';
  });
  return choice([...new Set(texts)]);
}

function choice(texts: readonly string[]): string {
  return texts.length < 2 ? texts.join('') : `${texts.slice(0, -1).join(', ')} or ${texts.at(-1)}`;
}

function numberText({ type, minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Node): string {
  const low = minimum === -SAFE ? undefined : minimum;
  const high = maximum === SAFE ? undefined : maximum;
  const bounds = [
    exclusiveMinimum === undefined ? (low === undefined ? '' : `from ${low}`) : `above ${exclusiveMinimum}`,
    exclusiveMaximum === undefined ? (high === undefined ? '' : `to ${high}`) : `below ${exclusiveMaximum}`,
  ];
  return [type === 'integer' ? 'whole number' : 'number', ...bounds].filter((text) => text !== '').join(' ');
}

/** Objects that are made of their keys' defaults have none of their own. */
function defaultText(node: Node): string | undefined {
  const value = node.default;
  if (value === undefined || (typeof value === 'object' && JSON.stringify(value) === '{}')) return undefined;
  return JSON.stringify(value);
}
