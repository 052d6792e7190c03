/** 1234567 -> "1,234,567" */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/** 0.1234 -> "12.3%" @param digits after the point */
export function formatShare(share: number, digits = 1): string {
  return `${(100 * share).toFixed(digits)}%`;
}

/** `counted(1, 'shard')` -> "1 shard"; 2,000 of them are "2,000 shards". @param noun that takes an s */
export function counted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** An estimate of money in cents: what is less than one is not nothing. */
export function formatDollars(dollars: number): string {
  return dollars > 0 && dollars < 0.01 ? 'less than $0.01' : `$${dollars.toFixed(2)}`;
}
