import type { INamespace } from 'protobufjs';

/** What a field holds once; every use of a message type in a schema is the same object. */
type FieldKind = ScalarKind | MessageType;
type ScalarKind = 'int32' | 'int64' | 'float' | 'string' | 'bytes';

interface MessageField {
  readonly name: string;
  readonly kind: FieldKind;
  readonly isRepeated: boolean;
  /** One of several of which a message holds one: without a default. */
  readonly isOneOf: boolean;
}

/** A type of messages: its fields by their numbers. */
export interface MessageType {
  readonly fields: ReadonlyMap<number, MessageField>;
}

/** A decoded message: its fields by their names. */
export type Message = Record<string, unknown>;

/** Wire types (https://protobuf.dev/programming-guides/encoding/). */
const [VARINT, FIXED64, DELIMITED, FIXED32] = [0, 1, 2, 5];
/** A varint of so many bytes is less than 2 ** 49, and exact in float64. */
const EXACT_BYTES = 7;
/** Messages within messages; protobuf's own readers stop at as many. */
const MOST_NESTED = 100;

/** The type of that name in a schema of one namespace. @throws Error for a schema that can't be read here */
export function messageType(schema: INamespace, namespace: string, name: string): MessageType {
  const types = (schema.nested![namespace] as INamespace).nested!;
  const built = new Map<string, MessageType>();
  const build = (of: string): MessageType => {
    const known = built.get(of);
    if (known !== undefined) return known;
    const fields = new Map<number, MessageField>();
    const type = { fields };
    built.set(of, type);
    const { fields: described, oneofs = {} } = types[of] as {
      readonly fields: Readonly<
        Record<string, { readonly rule?: string; readonly type: string; readonly id: number }>
      >;
      readonly oneofs?: Readonly<Record<string, { readonly oneof: readonly string[] }>>;
    };
    const alternatives = new Set(Object.values(oneofs).flatMap(({ oneof }) => oneof));
    for (const [fieldName, { rule, type: kind, id }] of Object.entries(described)) {
      fields.set(id, {
        name: fieldName,
        kind: kind in types ? build(kind) : (kind as ScalarKind),
        isRepeated: rule === 'repeated',
        isOneOf: alternatives.has(fieldName),
      });
    }
    return type;
  };
  return build(name);
}

/**
 * Decodes a message as protobuf's own readers do: fields that the type lacks are passed over, of a single value that comes several
 * times the last one counts, and messages are merged. Absent fields have their defaults: 0, '', no bytes, [], or null for a message.
 * protobufjs decodes by code that it writes for each type first, which takes longer than reading one model.
 * @throws Error for bytes that are no such message
 */
export function decodeMessage(bytes: Uint8Array, type: MessageType): Message {
  return new MessageReader(bytes).message(type, 0, bytes.length, empty(type), 0);
}

function empty({ fields }: MessageType): Message {
  const message: Message = {};
  for (const { name, kind, isRepeated, isOneOf } of fields.values()) {
    if (isRepeated) message[name] = [];
    else if (!isOneOf) message[name] = defaultOf(kind);
  }
  return message;
}

function defaultOf(kind: FieldKind): unknown {
  if (typeof kind !== 'string') return null;
  if (kind === 'string') return '';
  return kind === 'bytes' ? new Uint8Array(0) : 0;
}

class MessageReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Adds what stands in [start, end) to a message. */
  message(type: MessageType, start: number, end: number, into: Message, depth: number): Message {
    if (depth > MOST_NESTED) throw new Error(`messages are nested more than ${MOST_NESTED} deep`);
    this.#at = start;
    while (this.#at < end) {
      const tag = this.#varint(end);
      const wire = tag % 8;
      const number = (tag - wire) / 8;
      if (number === 0) throw new Error(`a field without a number at byte ${this.#at}`);
      const field = type.fields.get(number);
      if (field === undefined || !this.#read(field, wire, end, into, depth)) this.#skip(wire, end);
    }
    return into;
  }

  /** @returns false when the field isn't stored like that */
  #read(
    { name, kind, isRepeated }: MessageField,
    wire: number,
    end: number,
    into: Message,
    depth: number,
  ): boolean {
    const isNumber = kind === 'int32' || kind === 'int64' || kind === 'float';
    if (isNumber && wire === DELIMITED && isRepeated) {
      const packedEnd = this.#length(end);
      while (this.#at < packedEnd) (into[name] as unknown[]).push(this.#number(kind, packedEnd));
      return true;
    }
    if (wire !== (isNumber ? (kind === 'float' ? FIXED32 : VARINT) : DELIMITED)) return false;
    const value = isNumber
      ? this.#number(kind, end)
      : this.#delimited(kind, end, isRepeated ? null : into[name], depth);
    if (isRepeated) (into[name] as unknown[]).push(value);
    else into[name] = value;
    return true;
  }

  /** @param former message of the same field */
  #delimited(
    kind: Exclude<FieldKind, 'int32' | 'int64' | 'float'>,
    end: number,
    former: unknown,
    depth: number,
  ) {
    const valueEnd = this.#length(end);
    const start = this.#at;
    this.#at = valueEnd;
    if (kind === 'bytes') return this.#bytes.subarray(start, valueEnd);
    if (kind === 'string')
      return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, valueEnd - start).toString();
    const message = this.message(kind, start, valueEnd, (former as Message | null) ?? empty(kind), depth + 1);
    this.#at = valueEnd;
    return message;
  }

  #number(kind: 'int32' | 'int64' | 'float', end: number): number {
    if (kind === 'float') {
      this.#take(4, end);
      return this.#view.getFloat32(this.#at - 4, true);
    }
    const start = this.#at;
    const value = this.#varint(end);
    if (this.#at - start <= EXACT_BYTES) return kind === 'int32' ? value | 0 : value;
    // Mostly a negative number, which always takes ten bytes.
    let bits = 0n;
    for (let at = this.#at - 1; at >= start; at--) bits = (bits << 7n) | BigInt(this.#bytes[at]! & 127);
    return Number(BigInt.asIntN(kind === 'int32' ? 32 : 64, bits));
  }

  #skip(wire: number, end: number): void {
    if (wire === VARINT) this.#varint(end);
    else if (wire === FIXED64) this.#take(8, end);
    else if (wire === FIXED32) this.#take(4, end);
    else if (wire === DELIMITED) this.#at = this.#length(end);
    else throw new Error(`wire type ${wire} at byte ${this.#at}`);
  }

  /** The end of what has its length in front of it. */
  #length(end: number): number {
    const length = this.#varint(end);
    if (length > end - this.#at)
      throw new Error(`${length} bytes at byte ${this.#at}, where ${end - this.#at} are left`);
    return this.#at + length;
  }

  #take(size: number, end: number): void {
    if (end - this.#at < size)
      throw new Error(`${size} bytes at byte ${this.#at}, where ${end - this.#at} are left`);
    this.#at += size;
  }

  /** Exact up to EXACT_BYTES. */
  #varint(end: number): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 63; scale *= 128) {
      this.#take(1, end);
      const byte = this.#bytes[this.#at - 1]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw new Error(`a number of more than ten bytes at byte ${this.#at}`);
  }
}
