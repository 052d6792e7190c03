import { formatFacts, formatTable } from '../base/textTable.ts';

/** What is at a URI: facts by their names, then tables, each with a head. */
export interface Description {
  readonly kind: 'model bundle' | 'parquet shard' | 'folder of shards' | 'prediction file' | 'ONNX model';
  readonly uri: string;
  readonly facts: Readonly<Record<string, string | number>>;
  readonly tables: Readonly<Record<string, readonly (readonly string[])[]>>;
  /** Shards of a folder that can't be read. */
  readonly broken?: readonly { readonly shard: string; readonly message: string }[];
}

/** As people read it. */
export function descriptionText({ kind, uri, facts, tables, broken = [] }: Description): string {
  return [
    formatFacts({ [kind]: uri, ...facts }),
    ...Object.values(tables).map((rows) => formatTable(rows)),
    ...(broken.length === 0
      ? []
      : [formatTable([['broken', 'why'], ...broken.map(({ shard, message }) => [shard, message])])]),
  ].join('\n\n');
}
