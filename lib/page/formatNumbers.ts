import { formatCount, formatShare } from '../base/formatCount.ts';

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** 1234567 -> `1,234,567`; a dash for nothing. */
export function countText(count: number | null | undefined): string {
  return count == null ? '—' : formatCount(count);
}

/** A share in [0, 1] as per cent. */
export function shareText(share: number | null | undefined, digits = 1): string {
  return share == null ? '—' : formatShare(share, digits);
}

/** @param digits after the point */
export function decimalText(value: number | null | undefined, digits = 4): string {
  return value == null ? '—' : value.toFixed(digits);
}

/** With its sign, a minus as long as a plus. */
export function signedText(value: number, digits = 4): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`;
}

/** In powers of 1,000. */
export function bytesText(sizeBytes: number): string {
  let value = sizeBytes;
  let unit = 0;
  while (value >= 1000 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

/** 75 -> `1 min 15 s` */
export function secondsText(seconds: number | null | undefined): string {
  if (seconds == null || !Number.isFinite(seconds)) return '—';
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole >= 2 * 86_400) return `${Math.floor(whole / 86_400)} days`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Two digits of a small sum of money. */
export function dollarsText(dollars: number): string {
  return dollars !== 0 && dollars < 0.01 ? `$${dollars.toPrecision(2)}` : `$${dollars.toFixed(2)}`;
}

/** In UTC, to the second: runs are read by people in several zones. */
export function timeText(millis: number): string {
  return `${new Date(millis).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
