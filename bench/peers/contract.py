"""The feature contract of a bundle, as far as the benchmark's contracts go: what else there is, is refused."""

import json
from pathlib import Path

from vocabulary import vocabulary_values

REFUSED = {"missingValues": [], "clip": None, "precision": None, "from": None, "required": True}


class Contract:
    """Rows of the embedding matrix are numbered table by table, in the order in which features name them; row 0 of a table
    stands for what is missing or unseen."""

    def __init__(self, bundle):
        document = json.loads((Path(bundle) / "bundle.json").read_text(encoding="utf-8"))["contract"]
        self.row_keys = document["rowKeys"]
        self.singles, self.lists, self.buckets, self.numerics = [], [], [], []
        self.list_width = 0
        self.tables = {}
        next_row = 0

        for feature in document["features"]:
            for key, only in REFUSED.items():
                if feature.get(key, only) != only:
                    raise ValueError(f"{feature['column']}: the peers don't know {key}")
            kind = feature["kind"]
            name = feature.get("name", feature["column"])
            if kind == "numeric":
                self.numerics.append(feature)
                continue
            if kind == "bucketed":
                feature["row_start"] = next_row
                next_row += len(feature["fitted"]["boundaries"]) + 2
                self.buckets.append(feature)
                continue
            table = feature["table"]
            table_name, definition = (table, document["tables"][table]) if isinstance(table, str) else (name, table)
            if definition.get("missingValues"):
                raise ValueError(f"{table_name}: the peers don't know missingValues")
            if table_name not in self.tables:
                values = None if "hash" in definition else vocabulary_values(definition, bundle)
                self.tables[table_name] = {**definition, "row_start": next_row, "values": values}
                next_row += (definition["hash"]["buckets"] if values is None else len(values)) + 1
            feature["row_start"] = self.tables[table_name]["row_start"]
            feature["table_name"] = table_name
            if kind == "categorical":
                self.singles.append(feature)
            elif feature["keep"] == "first":
                feature["at"] = self.list_width
                self.list_width += feature["maxLength"]
                self.lists.append(feature)
            else:
                raise ValueError(f"{name}: the peers don't know keep: last")
        columns = self.row_keys + [feature["column"] for feature in document["features"]]
        self.columns = list(dict.fromkeys(columns))
