/*
 * Places of the numbers that JavaScript writes for the kernels of pages, in bytes.
 */

// Of a page, as lib/parquet/pageTable.ts has it.
export const START_BYTE: usize = 0;
export const END_BYTE: usize = 4;
export const UNPACKED_BYTES: usize = 8;
export const VALUE_COUNT: usize = 12;
export const DICTIONARY_COUNT: usize = 16;
export const ENCODING: usize = 20;
export const DEFINITION_BYTES: usize = 32;
export const REPETITION_BYTES: usize = 36;
export const VERSION: usize = 40;
export const IS_PACKED: usize = 44;
export const BODY_START: usize = 48;
export const BODY_END: usize = 52;
export const PAGE_BYTES: usize = 60;

// Of a chunk, as lib/parquet/decodePages.ts has it: where its buffer's first byte would be, its pages, its rows and its codec.
export const BUFFER: usize = 0;
export const PAGES: usize = 4;
export const ROWS: usize = 8;
export const CODEC: usize = 12;
export const CHUNK_BYTES: usize = 16;

export const SECOND_VERSION: i32 = 2;
export const PLAIN: i32 = 0;
export const SNAPPY: i32 = 1;
