/**
 * Rows up to which row groups are scored together. Only the last batch of a request is padded: 3% of its rows on average.
 * More would save less than it costs in memory and in what an early stop has to wait for.
 */
export const REQUEST_ROWS = 8192;

/** Bytes of columns up to which row groups are scored together, for rows that are unusually wide. */
export const REQUEST_BYTES = 16 * 1024 * 1024;

/**
 * Shards up to this size are read whole, by one request. Reading the footer first takes two at least, and a request costs what
 * the transfer of about a megabyte does.
 */
export const SMALL_SHARD_BYTES = 512 * 1024;

/** Column chunks that lie nearer than this are read as one range, for the same reason. */
export const JOIN_GAP_BYTES = 1024 * 1024;
