"""XXH64 of columns with numpy: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md. A call per value is 5 to 20 times slower."""

import numpy as np
import pyarrow as pa
import xxhash

U = np.uint64
P1, P2, P3, P4, P5 = map(
    U,
    (
        0x9E3779B185EBCA87,
        0xC2B2AE3D27D4EB4F,
        0x165667B19E3779F9,
        0x85EBCA77C2B2AE63,
        0x27D4EB2F165667C5,
    ),
)
# Longer texts hash in stripes; they are rare, and left to the library.
STRIPE_BYTES = 32


def _rotate(x, bits):
    return (x << U(bits)) | (x >> U(64 - bits))


def _eight_bytes(state, lane):
    return _rotate(state ^ (_rotate(lane * P2, 31) * P1), 27) * P1 + P4


def _avalanche(state):
    state = (state ^ (state >> U(33))) * P2
    state = (state ^ (state >> U(29))) * P3
    return state ^ (state >> U(32))


def hash_integers(values, seed):
    """Of 64-bit integers, as their 8 little-endian bytes."""
    with np.errstate(over="ignore"):
        start = U(seed) + P5 + U(8)
        return _avalanche(_eight_bytes(start, values.astype(np.int64, copy=False).view(U)))


def hash_texts(texts, seed):
    """Of a string array without nulls, as UTF-8: texts of one length at a time, a row each of a matrix of bytes."""
    texts = texts.cast(pa.large_string())
    offsets = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(texts.buffers()[2], np.uint8)
    lengths = np.diff(offsets)
    hashes = np.empty(len(texts), U)
    for length in np.unique(lengths):
        at = np.flatnonzero(lengths == length)
        if length >= STRIPE_BYTES:
            hashes[at] = [xxhash.xxh64_intdigest(texts[int(i)].as_py().encode(), seed) for i in at]
            continue
        rows = data[offsets[at][:, None] + np.arange(length)]
        hashes[at] = _hash_rows(np.ascontiguousarray(rows), seed)
    return hashes


def _hash_rows(rows, seed):
    count, length = rows.shape
    with np.errstate(over="ignore"):
        state = np.full(count, U(seed) + P5 + U(length), U)
        at = 0
        while at + 8 <= length:
            lane = np.ascontiguousarray(rows[:, at : at + 8]).view(U).ravel()
            state = _eight_bytes(state, lane)
            at += 8
        if at + 4 <= length:
            lane = np.ascontiguousarray(rows[:, at : at + 4]).view(np.uint32).ravel().astype(U)
            state = _rotate(state ^ (lane * P1), 23) * P2 + P3
            at += 4
        for each in range(at, length):
            state = _rotate(state ^ (rows[:, each].astype(U) * P5), 11) * P1
        return _avalanche(state)
