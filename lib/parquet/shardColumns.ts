import { parquetSchema, type SchemaElement, type SchemaTree } from 'hyparquet';

/** One leaf of the schema tree: the unit Parquet stores as a column chunk. */
export interface ShardLeaf {
  /** Index of the leaf's chunk in every row group's `columns`. */
  readonly index: number;
  readonly path: readonly string[];
  readonly element: SchemaElement;
}

/** One top-level column: a single leaf, or the leaves of a list, map or struct. */
export interface ShardColumn {
  readonly name: string;
  /** The column's schema elements in depth-first order, ready to be written into another file's footer. */
  readonly elements: readonly SchemaElement[];
  readonly leaves: readonly ShardLeaf[];
}

/** Groups within groups; the decoder exhausts its stack at some hundreds, and no feature is below four. */
const MOST_NESTED = 64;

/**
 * Splits a file's schema into its top-level columns, in file order.
 *
 * @throws Error when the schema tree is not well formed.
 */
export function shardColumns(schema: SchemaElement[]): ShardColumn[] {
  const root = parquetSchema({ schema });
  if (root.count !== schema.length) {
    throw new Error(`schema has ${schema.length} elements, its tree has ${root.count}`);
  }
  let leafIndex = 0;
  return root.children.map((column) => {
    const elements: SchemaElement[] = [];
    const leaves: ShardLeaf[] = [];
    const visit = (node: SchemaTree): void => {
      const { element } = node;
      if (node.path.length > MOST_NESTED) throw new Error(`columns are nested more than ${MOST_NESTED} deep`);
      if (node.children.length === 0) {
        if (element.type === undefined)
          throw new Error(`schema element '${node.path.join('.')}' has no type`);
        leaves.push({ index: leafIndex, path: node.path, element });
        leafIndex += 1;
      }
      elements.push(withWritableType(element));
      node.children.forEach(visit);
    };
    visit(column);
    return { name: column.element.name, elements, leaves };
  });
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
