"""Trains a small model of clicks and conversions in PyTorch, on data of `ncs4cvr synth`, and writes what `ncs4cvr bundle` needs.

usage: python train.py DATA OUTPUT

OUTPUT gets model.onnx, the vocabularies, contract.json, config.json, and torch.parquet: the model's own scores of the last day,
to compare with.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import nn

CATEGORIES = [f"f{index}" for index in range(8)]
LONGEST_LIST = 5
EPOCHS = 4
BATCH = 256


def vocabulary(values):
    """Ids from 1 in the order of the values' names; 0 is for whatever isn't here."""
    return {value: place + 1 for place, value in enumerate(sorted(set(values)))}


def encode(table, ids, tag_ids, mean, deviation):
    """What the job will give the model: ids [rows], list ids padded with 0 behind the last value, a standardised number."""
    rows = {name: torch.tensor([ids[name].get(value, 0) for value in table[name].to_pylist()]) for name in CATEGORIES}
    lists = torch.zeros(table.num_rows, LONGEST_LIST, dtype=torch.int64)
    for row, tags in enumerate(table["tags"].to_pylist()):
        known = [tag_ids[tag] for tag in (tags or [])[:LONGEST_LIST] if tag in tag_ids]
        lists[row, : len(known)] = torch.tensor(known, dtype=torch.int64)
    price = np.log1p(table["price"].to_numpy())
    missing = np.isnan(price)
    number = np.where(missing, 0, (price - mean) / deviation).astype(np.float32)
    return (*rows.values(), lists, torch.from_numpy(number), torch.from_numpy(missing.astype(np.float32)))


class Model(nn.Module):
    """Embeddings, one shared layer, a head for each score. No norm over the batch: a row's scores are the row's alone."""

    def __init__(self, sizes, tags, width=8):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size + 1, width) for size in sizes)
        self.tags = nn.Embedding(tags + 1, width, padding_idx=0)
        self.shared = nn.Sequential(nn.Linear((len(sizes) + 1) * width + 2, 32), nn.ReLU(), nn.LayerNorm(32))
        self.heads = nn.ModuleList(nn.Linear(32, 1) for _ in range(2))

    def logits(self, *inputs):
        *ids, tags, price, missing = inputs
        used = (tags > 0).float().unsqueeze(2)
        pooled = (self.tags(tags) * used).sum(1) / used.sum(1).clamp(min=1)
        parts = [table(column) for table, column in zip(self.tables, ids)]
        hidden = self.shared(torch.cat([*parts, pooled, price.unsqueeze(1), missing.unsqueeze(1)], 1))
        return [head(hidden).squeeze(1) for head in self.heads]

    def forward(self, *inputs):
        return tuple(torch.sigmoid(logit) for logit in self.logits(*inputs))


def train(model, inputs, click, conversion):
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    loss_of = nn.functional.binary_cross_entropy_with_logits
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(click)).split(BATCH):
            clicks, conversions = model.logits(*(each[rows] for each in inputs))
            clicked = click[rows] == 1
            loss = loss_of(clicks, click[rows])
            if clicked.any():
                loss = loss + loss_of(conversions[clicked], conversion[rows][clicked])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def main(data, output):
    torch.manual_seed(1)
    torch.set_num_threads(2)
    output.mkdir(parents=True, exist_ok=True)
    days = sorted(data.glob("dt=*"))
    tables = [pa.concat_tables([pq.ParquetFile(file).read() for file in sorted(day.glob("*.parquet"))]) for day in days]
    training, last = pa.concat_tables(tables[:-1]), tables[-1]

    ids = {name: vocabulary(training[name].to_pylist()) for name in CATEGORIES}
    tag_ids = vocabulary(tag for tags in training["tags"].to_pylist() for tag in tags or [])
    logs = np.log1p(training["price"].to_numpy())
    mean, deviation = float(np.nanmean(logs)), float(np.nanstd(logs))
    encoded = encode(training, ids, tag_ids, mean, deviation)
    model = Model([len(ids[name]) for name in CATEGORIES], len(tag_ids))
    click, conversion = (torch.tensor(training[name].to_numpy(), dtype=torch.float32) for name in ("click", "conversion"))
    train(model, encoded, click, conversion)

    # Inputs are named after the contract's features; with a dot, what is derived of one.
    names = [*CATEGORIES, "tags", "price", "price_missing"]
    batch = torch.export.Dim("batch", min=2)
    torch.onnx.export(
        model.eval(),
        tuple(each[:16] for each in encoded),
        output / "model.onnx",
        input_names=names,
        output_names=["pctr", "pcvr"],
        dynamic_shapes=(tuple({0: batch} for _ in names),),
        external_data=False,
        dynamo=True,
    )

    for name in CATEGORIES:
        values = pa.table({"value": list(ids[name]), "id": list(ids[name].values())})
        pq.write_table(values, output / f"{name}.parquet")
    (output / "tags.json").write_text(json.dumps(tag_ids))
    contract = {
        "contractVersion": 1,
        "rowKeys": ["impression_id"],
        "features": [
            *(
                {"kind": "categorical", "column": name, "table": {"type": "string", "vocabulary": {"values": f"{name}.parquet"}}}
                for name in CATEGORIES
            ),
            {
                "kind": "list",
                "column": "tags",
                "maxLength": LONGEST_LIST,
                "keep": "first",
                "table": {"type": "string", "vocabulary": {"values": "tags.json"}},
            },
            {
                "kind": "numeric",
                "column": "price",
                "log1p": True,
                "fitted": {"mean": mean, "standardDeviation": deviation},
            },
        ],
    }
    (output / "contract.json").write_text(json.dumps(contract, indent=1))
    config = {
        "inputs": {"price_missing": ["price.missing"]},
        "labels": {"click": "click", "conversion": "conversion"},
    }
    (output / "config.json").write_text(json.dumps(config, indent=1))

    with torch.no_grad():
        pctr, pcvr = model(*encode(last, ids, tag_ids, mean, deviation))
    scores = {"impression_id": last["impression_id"], "pctr": pctr.numpy(), "pcvr": pcvr.numpy()}
    pq.write_table(pa.table(scores), output / "torch.parquet")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
