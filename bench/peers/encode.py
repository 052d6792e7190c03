"""Record batches to the four inputs of the plain graph, column by column with numpy."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hashing import hash_integers, hash_texts

# Integer ids within such a range are looked up in an array of it.
DENSE_RANGE = 4_000_000


class IntegerTable:
    """Ids of integers: 1, 2, ... in the order of the vocabulary, 0 for what isn't in it."""

    def __init__(self, values):
        self.low = int(values.min()) - 1
        span = int(values.max()) - self.low + 2
        ids = np.arange(1, len(values) + 1, dtype=np.int32)
        if span <= DENSE_RANGE:
            self.dense = np.zeros(span, np.int32)
            self.dense[values - self.low] = ids
            return
        self.dense = None
        order = np.argsort(values, kind="stable")
        self.values, self.ids = values[order], ids[order]

    def find(self, column):
        values, is_null = _filled(column)
        if self.dense is not None:
            # The ends of the array are 0, and stand for everything beyond them.
            found = np.take(self.dense, values - self.low, mode="clip")
        else:
            place = np.searchsorted(self.values, values)
            place[place == len(self.values)] = 0
            found = np.where(self.values[place] == values, self.ids[place], 0)
        return found if is_null is None else np.where(is_null, 0, found)


class TextTable:
    """Ids of strings, as IntegerTable. Every distinct value of a batch is looked up once."""

    def __init__(self, values):
        self.values = pa.array(values)

    def find(self, column):
        return _by_dictionary(column, self._ids)

    def _ids(self, texts):
        return pc.fill_null(pc.index_in(texts, value_set=self.values), -1).to_numpy(zero_copy_only=False) + 1


class HashedTable:
    """Buckets of integers or strings."""

    def __init__(self, definition):
        self.type = definition["type"]
        self.buckets = np.uint64(definition["hash"]["buckets"])
        self.seed = definition["hash"].get("seed", 0)

    def find(self, column):
        if self.type == "string":
            return _by_dictionary(column, lambda texts: self._ids(hash_texts(texts, self.seed)))
        values, is_null = _filled(column)
        found = self._ids(hash_integers(values, self.seed))
        return found if is_null is None else np.where(is_null, 0, found)

    def _ids(self, hashes):
        return (hashes % self.buckets).astype(np.int32) + 1


def make_table(definition):
    if "hash" in definition:
        return HashedTable(definition)
    return (TextTable if definition["type"] == "string" else IntegerTable)(definition["values"])


def _filled(column):
    if column.null_count == 0:
        return column.to_numpy(zero_copy_only=False), None
    return column.fill_null(0).to_numpy(zero_copy_only=False), column.is_null().to_numpy(zero_copy_only=False)


def _by_dictionary(column, ids_of):
    encoded = column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()
    # Nulls come last.
    ids = np.append(ids_of(encoded.dictionary.cast(pa.string())), 0).astype(np.int32)
    indices = encoded.indices
    if indices.null_count > 0:
        indices = indices.fill_null(len(ids) - 1)
    return ids[indices.to_numpy(zero_copy_only=False)]


def _numbers(column):
    # Floats count as float32; pyarrow gives nulls as NaN.
    values = column.to_numpy(zero_copy_only=False)
    if values.dtype == np.float64 and pa.types.is_float64(column.type):
        values = values.astype(np.float32)
    return values.astype(np.float64, copy=False)


class Encoder:
    def __init__(self, contract):
        self.contract = contract
        self.tables = {name: make_table(table) for name, table in contract.tables.items()}
        self.boundaries = [np.array(feature["fitted"]["boundaries"], np.float64) for feature in contract.buckets]

    def encode(self, batch):
        """int32 [B, C] rows of the embedding matrix, int32 and float32 [B, L] of lists, float32 [B, 2N] of numbers."""
        contract, row_count = self.contract, batch.num_rows
        column_of = lambda feature: batch.column(feature["column"])
        singles = np.empty((row_count, len(contract.singles) + len(contract.buckets)), np.int32)
        at = 0
        for feature in contract.singles:
            singles[:, at] = self.tables[feature["table_name"]].find(column_of(feature)) + feature["row_start"]
            at += 1
        for feature, boundaries in zip(contract.buckets, self.boundaries):
            values = _numbers(column_of(feature))
            bucket = np.searchsorted(boundaries, values, side="left") + 1
            singles[:, at] = np.where(np.isnan(values), 0, bucket) + feature["row_start"]
            at += 1

        list_rows = np.zeros((row_count, contract.list_width), np.int32)
        list_weights = np.zeros((row_count, contract.list_width), np.float32)
        for feature in contract.lists:
            self._encode_list(feature, column_of(feature), list_rows, list_weights)

        dense = np.empty((row_count, 2 * len(contract.numerics)), np.float32)
        for place, feature in enumerate(contract.numerics):
            values = _numbers(column_of(feature))
            if feature.get("log1p"):
                values = np.copysign(np.log1p(np.abs(values)), values)
            if feature.get("standardise", True):
                values = (values - feature["fitted"]["mean"]) / feature["fitted"]["standardDeviation"]
            is_missing = ~np.isfinite(values)
            dense[:, 2 * place] = np.where(is_missing, 0, values)
            dense[:, 2 * place + 1] = is_missing
        return {"single_rows": singles, "list_rows": list_rows, "list_weights": list_weights, "dense": dense}

    def _encode_list(self, feature, column, list_rows, list_weights):
        """The first values of each list, without those that aren't in the table, weigh as much as each other."""
        row_count = len(column)
        offsets = column.offsets.to_numpy()
        ids = self.tables[feature["table_name"]].find(column.values.slice(offsets[0], offsets[-1] - offsets[0]))
        lengths = np.minimum(np.diff(offsets), feature["maxLength"])
        row = np.repeat(np.arange(row_count), lengths)
        within = np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        ids = ids[np.repeat(offsets[:-1] - offsets[0], lengths) + within]
        is_known = ids > 0
        row, ids = row[is_known], ids[is_known]
        counts = np.bincount(row, minlength=row_count)
        to = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts) + feature["at"]
        list_rows[row, to] = ids + feature["row_start"]
        list_weights[row, to] = (1 / np.maximum(counts, 1)).astype(np.float32)[row]
