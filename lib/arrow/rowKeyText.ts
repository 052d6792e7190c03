import { DataType, DateUnit, type Timestamp, TimeUnit } from 'apache-arrow';
import { BYTES, isBytes, NEGATIVE, NULL, NUMBER } from './rowKeyBytes.ts';

/** The values of a key from its bytes, as text; null for null. @param types of its columns */
export function keyTexts(bytes: Uint8Array, types: readonly DataType[]): (string | null)[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  return types.map((type) => {
    const tag = bytes[at++]!;
    if (tag === NULL) return null;
    if (tag === BYTES) {
      const start = at + 4;
      at = start + view.getUint32(at, true);
      return keyBytesText(bytes.subarray(start, at), type);
    }
    const value = tag === NEGATIVE ? view.getBigInt64(at, true) : view.getBigUint64(at, true);
    at += 8;
    return DataType.isInt(type) ? String(value) : timeText(value, type);
  });
}

/** A value of text or bytes: 16 bytes each as a UUID is written, others as UTF-8, or as 0x and hexadecimal digits where they are none. */
export function keyBytesText(bytes: Uint8Array, type: DataType): string {
  return isUuid(type) ? uuidText(bytes) : textOrHex(bytes);
}

/** As features read bytes of this length. */
function isUuid(type: DataType): boolean {
  return DataType.isFixedSizeBinary(type) && type.byteWidth === 16;
}

function uuidText(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function textOrHex(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return `0x${Buffer.from(bytes).toString('hex')}`;
  }
}

/** As ISO 8601 writes it; beyond the years of Date, and with digits below the millisecond, the column's whole number. */
function timeText(value: bigint, type: DataType): string {
  const [millisPerUnit, unitsPerMilli] = unitsOf(type);
  if (value % unitsPerMilli !== 0n) return String(value);
  const time = new Date(Number((value * millisPerUnit) / unitsPerMilli));
  if (Number.isNaN(time.getTime())) return String(value);
  const text = time.toISOString();
  const isWholeDay = DataType.isDate(type) && value % (DAY_MILLIS / millisPerUnit) === 0n;
  return isWholeDay ? text.slice(0, text.indexOf('T')) : text;
}

const DAY_MILLIS = 86_400_000n;

/** Of a date or a timestamp; one of both is 1. */
function unitsOf(type: DataType): [millisPerUnit: bigint, unitsPerMilli: bigint] {
  if (DataType.isDate(type)) return [type.unit === DateUnit.DAY ? DAY_MILLIS : 1n, 1n];
  switch ((type as Timestamp).unit) {
    case TimeUnit.SECOND:
      return [1000n, 1n];
    case TimeUnit.MILLISECOND:
      return [1n, 1n];
    case TimeUnit.MICROSECOND:
      return [1n, 1000n];
    case TimeUnit.NANOSECOND:
      return [1n, 1_000_000n];
  }
}

/**
 * The bytes of a value that is written as `keyTexts` writes it; a date or timestamp also as its column's whole number, and
 * as other text that Date takes, in UTC unless it says otherwise. In a column of bytes, what begins with 0x is read as hexadecimal digits,
 * and in one of 16 bytes each, a UUID is.
 * @returns undefined for text that no value of the type has
 */
export function keyBytesOf(text: string, type: DataType): Uint8Array | undefined {
  if (isBytes(type)) {
    const isHex = !DataType.isUtf8(type) && /^0x([0-9a-f]{2})*$/i.test(text);
    const isUuidText = isUuid(type) && /^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/i.test(text);
    const digits = isUuidText ? text.replaceAll('-', '') : isHex ? text.slice(2) : undefined;
    const value = digits === undefined ? Buffer.from(text) : Buffer.from(digits, 'hex');
    const bytes = Buffer.alloc(5 + value.length);
    bytes[0] = BYTES;
    bytes.writeUInt32LE(value.length, 1);
    value.copy(bytes, 5);
    return bytes;
  }
  const value = wholeNumberOf(text, type);
  if (value === undefined || value < -(2n ** 63n) || value >= 2n ** 64n) return undefined;
  const bytes = Buffer.alloc(9);
  bytes[0] = value < 0n ? NEGATIVE : NUMBER;
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value), 1);
  return bytes;
}

function wholeNumberOf(text: string, type: DataType): bigint | undefined {
  if (/^-?\d+$/.test(text)) return BigInt(text);
  // Date takes a time without a zone for local time.
  const zoned = /T[\d:.]+$/.test(text) ? `${text}Z` : text;
  const millis = DataType.isInt(type) ? Number.NaN : Date.parse(zoned);
  if (Number.isNaN(millis)) return undefined;
  const [millisPerUnit, unitsPerMilli] = unitsOf(type);
  return (BigInt(millis) * unitsPerMilli) / millisPerUnit;
}
