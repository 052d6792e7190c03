import { Ncs4cvrError } from '../base/errors.ts';

/** A known length, or the name of one that is known at run time only ("B"). Equal names mean equal lengths. */
export type Dimension = number | string;

/** Dimensions of a tensor, outermost first; [] is a scalar. */
export type Shape = readonly Dimension[];

export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dimension, axis) => dimension === b[axis]);
}

/** Number of elements of a tensor whose dimensions are all known; GRAPH_SHAPE_MISMATCH otherwise. */
export function elementCount(shape: Shape): number {
  return shape.reduce<number>((count, dimension) => {
    if (typeof dimension === 'string') throw shapeMismatch('shape', 'known dimensions', formatShape(shape));
    return count * dimension;
  }, 1);
}

/** NumPy's broadcasting rule (shapes aligned at the last axis), as ONNX uses it. */
export function broadcastShapes(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const ofA = a[axis - rank + a.length] ?? 1;
    const ofB = b[axis - rank + b.length] ?? 1;
    if (ofA === ofB || ofB === 1) return ofA;
    if (ofA === 1) return ofB;
    throw shapeMismatch('broadcasting', `a shape that broadcasts with ${formatShape(a)}`, formatShape(b));
  });
}

/** Index of `axis` counted from the front; a negative one counts from the back. */
export function normaliseAxis(axis: number, rank: number): number {
  const index = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(index) || index < 0 || index >= rank) {
    throw shapeMismatch('axis', `an axis of a tensor of rank ${rank}`, String(axis));
  }
  return index;
}

/** The shape with the length of one axis replaced. */
export function withDimension(shape: Shape, axis: number, dimension: Dimension): Shape {
  return shape.map((old, index) => (index === axis ? dimension : old));
}

export function shapeMismatch(operation: string, expected: string, found: string): Ncs4cvrError {
  return new Ncs4cvrError('GRAPH_SHAPE_MISMATCH', `${operation} doesn't fit its input`, { expected, found });
}
