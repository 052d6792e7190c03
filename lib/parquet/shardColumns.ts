import { parquetSchema, type SchemaElement, type SchemaTree } from 'hyparquet';

/** One leaf of the schema tree: the unit Parquet stores as a column chunk. */
export interface ShardLeaf {
  /** Index of the leaf's chunk in every row group's `columns`. */
  readonly index: number;
  readonly path: readonly string[];
  readonly element: SchemaElement;
}

/** One top-level column, or a field of structs by its path: a single leaf, or the leaves of a list, map or struct. */
export interface ShardColumn {
  readonly name: string;
  /** The column's schema elements in depth-first order, ready to be written into another file's footer. */
  readonly elements: readonly SchemaElement[];
  readonly leaves: readonly ShardLeaf[];
  /** Of a struct's field: the structs around it, which are decoded with it and taken away again. None by default. */
  readonly structDepth?: number;
}

/** Groups within groups; the decoder exhausts its stack at some hundreds, and no feature is below four. */
const MOST_NESTED = 64;
/** Structs around a field that can be read by its path; a footer of few bytes could name millions of paths otherwise. */
const MOST_STRUCTS = 8;

/**
 * Splits a file's schema into its top-level columns, in file order, and behind them the fields of structs: `user.id`. A column
 * that is called so wins.
 *
 * @throws Error when the schema tree is not well formed.
 */
export function shardColumns(schema: SchemaElement[]): ShardColumn[] {
  const root = parquetSchema({ schema });
  if (root.count !== schema.length) {
    throw new Error(`schema has ${schema.length} elements, its tree has ${root.count}`);
  }
  let leafIndex = 0;
  const parts = new Map<SchemaTree, ColumnParts>();
  const columns = root.children.map((column) => {
    const visit = (node: SchemaTree): void => {
      const { element } = node;
      const elements: SchemaElement[] = [];
      const leaves: ShardLeaf[] = [];
      parts.set(node, { elements, leaves });
      if (node.path.length > MOST_NESTED) throw new Error(`columns are nested more than ${MOST_NESTED} deep`);
      if (node.children.length === 0) {
        if (element.type === undefined)
          throw new Error(`schema element '${node.path.join('.')}' has no type`);
        leaves.push({ index: leafIndex, path: node.path, element });
        leafIndex += 1;
      }
      elements.push(withWritableType(element));
      for (const child of node.children) {
        visit(child);
        const below = parts.get(child)!;
        elements.push(...below.elements);
        leaves.push(...below.leaves);
      }
    };
    visit(column);
    return { name: column.element.name, ...parts.get(column)! };
  });
  const names = new Set(columns.map(({ name }) => name));
  const fields = root.children.flatMap((column) => structFields(column, (node) => parts.get(node)!));
  return [...columns, ...fields.filter(({ name }) => !names.has(name))];
}

/** What `shardColumns` makes of a node of the schema and all below it. */
interface ColumnParts {
  readonly elements: readonly SchemaElement[];
  readonly leaves: readonly ShardLeaf[];
}

/**
 * The fields of a struct as columns of their own, `user.device` and `user.device.os` of a column `user`. Lists and
 * maps are not gone into.
 * @param partsOf of a node
 */
function structFields(column: SchemaTree, partsOf: (node: SchemaTree) => ColumnParts): ShardColumn[] {
  const fields: ShardColumn[] = [];
  const visit = (node: SchemaTree, around: readonly SchemaElement[]): void => {
    if (!isStruct(node) || around.length === MOST_STRUCTS) return;
    const structs = [...around, { ...node.element, num_children: 1 }];
    for (const child of node.children) {
      const name = child.path.join('.');
      const { elements, leaves } = partsOf(child);
      // Fields of one struct that are decoded together are structs of their own, which need names of their own.
      const [first, ...rest] = structs;
      const own = [{ ...first!, name }, ...rest, ...elements];
      fields.push({ name, elements: own, leaves, structDepth: structs.length });
      visit(child, structs);
    }
  };
  visit(column, []);
  return fields;
}

function isStruct({ element, children }: SchemaTree): boolean {
  const { converted_type: converted, logical_type: logical, repetition_type: repetition } = element;
  const isAnnotated = converted !== undefined || logical !== undefined;
  return children.length > 0 && !isAnnotated && repetition !== 'REPEATED';
}

/**
 * hyparquet-writer writes the bit width of the INTEGER logical type as a 32-bit number where the format wants a byte, and
 * arrow-rs refuses such a footer. The converted type says the same.
 */
function withWritableType(element: SchemaElement): SchemaElement {
  const { logical_type: logicalType, ...rest } = element;
  if (logicalType?.type !== 'INTEGER') return element;
  const convertedType = `${logicalType.isSigned ? 'INT' : 'UINT'}_${logicalType.bitWidth}`;
  return { ...rest, converted_type: convertedType as NonNullable<SchemaElement['converted_type']> };
}
