/**
 * Rows up to which row groups are scored together. Only the last batch of a request is padded: .8% of its rows on average.
 * More would save less than it costs in memory and in what an early stop has to wait for.
 */
export const REQUEST_ROWS = 32_768;

/** Bytes of columns up to which row groups are scored together, for rows that are unusually wide. */
export const REQUEST_BYTES = 16 * 1024 * 1024;

/** Row groups of more rows than this are scored by several requests, whichever threads are free. */
export const UNSPLIT_ROWS = 131_072;

/** Rows of each of these requests: those of a record batch of the output, so that its bytes don't depend on it. */
export const SPLIT_ROWS = 65_536;

/** Bytes of neighbouring columns of such a row group that one thread decodes at a time, for all. */
export const SPLIT_BYTES = 8 * 1024 * 1024;

/**
 * Shards up to this size are read whole, by one request. Reading the footer first takes two at least, and a request costs what
 * the transfer of about a megabyte does.
 */
export const SMALL_SHARD_BYTES = 512 * 1024;

/** Column chunks that lie nearer than this are read as one range, for the same reason. */
export const JOIN_GAP_BYTES = 1024 * 1024;
