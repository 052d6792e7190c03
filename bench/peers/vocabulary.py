"""The values of a fitted vocabulary in the order of their ids 1, 2, ...: an int64 array or a list of strings."""

import struct
from pathlib import Path

import numpy as np

# lib/features/vocabularyFile.ts describes the format.
HEADER_BYTES = 64
DENSE, HASHED, TEXT = 1, 2, 3
HASHED_SLOT = np.dtype([("low", "<u4"), ("high", "<i4"), ("id", "<i4")])
TEXT_SLOT = np.dtype([("hash", "<i4"), ("start", "<i4"), ("id", "<i4")])


def vocabulary_values(definition, bundle):
    return read_vocabulary((Path(bundle) / definition["vocabulary"]["fitted"]["file"]).read_bytes())


def read_vocabulary(data):
    if data[:8] != b"NCSVOCAB":
        raise ValueError("not a vocabulary file")
    version, layout, entries, slot_count, _, first = struct.unpack_from("<5Ii", data, 8)
    if version != 1:
        raise ValueError(f"vocabulary file of format {version}")
    if layout == DENSE:
        ids = np.frombuffer(data, "<i4", slot_count, HEADER_BYTES)
        return _in_order(first + np.arange(slot_count, dtype=np.int64), ids, entries)
    if layout == HASHED:
        slots = np.frombuffer(data, HASHED_SLOT, slot_count, HEADER_BYTES)
        values = (slots["high"].astype(np.int64) << 32) | slots["low"].astype(np.int64)
        return _in_order(values, slots["id"], entries)
    if layout != TEXT:
        raise ValueError(f"vocabulary file of layout {layout}")
    slots = np.frombuffer(data, TEXT_SLOT, slot_count, HEADER_BYTES)
    text = data[HEADER_BYTES + slots.nbytes :]
    values = [""] * entries
    ends = np.append(slots["start"][1:], len(text))
    for start, end, each in zip(slots["start"], ends, slots["id"]):
        if each > 0:
            values[each - 1] = text[int(start) : int(end)].decode()
    return values


def _in_order(values, ids, entries):
    ordered = np.empty(entries, np.int64)
    is_used = ids > 0
    ordered[ids[is_used] - 1] = values[is_used]
    return ordered
