export function sumOf<Item>(items: readonly Item[], amountOf: (item: Item) => number): number {
  return items.reduce((sum, item) => sum + amountOf(item), 0);
}

/** NaN of none. */
export function meanOf<Item>(items: readonly Item[], amountOf: (item: Item) => number): number {
  return sumOf(items, amountOf) / items.length;
}
