/** 1234567 -> "1,234,567" */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/** 0.1234 -> "12.3%" @param digits after the point */
export function formatShare(share: number, digits = 1): string {
  return `${(100 * share).toFixed(digits)}%`;
}
