"""A peer of `ncs4cvr score`: Parquet by one of three readers, numpy, onnxruntime, Arrow.

score.py READER MODEL.onnx BUNDLE INPUT OUTPUT THREADS: every shard of the folder INPUT becomes an Arrow file in OUTPUT.
The graph has its embeddings inside; of the bundle, the contract and the vocabularies are read.
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow as pa

from contract import Contract
from encode import Encoder
from readers import READERS

# Rows of a record batch, and of a run of the session: the fastest of those tried, for each reader.
READ_ROWS = 65_536
RUN_ROWS = 512
SCORES = ["pctr", "pcvr", "pctcvr"]


def open_session(model, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def score_rows(session, feeds, row_count):
    scores = [np.empty(row_count, np.float32) for _ in SCORES]
    for start in range(0, row_count, RUN_ROWS):
        end = min(row_count, start + RUN_ROWS)
        run = session.run(SCORES, {name: rows[start:end] for name, rows in feeds.items()})
        for whole, some in zip(scores, run):
            whole[start:end] = some
    return scores


def main(reader, model, bundle, folder, output, threads):
    contract = Contract(bundle)
    encoder = Encoder(contract)
    session = open_session(model, threads)
    taken = {tensor.name for tensor in session.get_inputs()}
    Path(output).mkdir(parents=True, exist_ok=True)
    for shard in sorted(Path(folder).glob("*.parquet")):
        writer = None
        for batch in READERS[reader](str(shard), contract, threads, READ_ROWS):
            feeds = {name: rows for name, rows in encoder.encode(batch).items() if name in taken}
            scores = score_rows(session, feeds, batch.num_rows)
            columns = [batch.column(key) for key in contract.row_keys] + [pa.array(each) for each in scores]
            scored = pa.RecordBatch.from_arrays(columns, names=contract.row_keys + SCORES)
            if writer is None:
                writer = pa.ipc.new_file(f"{output}/{shard.stem}.arrow", scored.schema)
            writer.write_batch(scored)
        writer.close()


if __name__ == "__main__":
    *texts, threads = sys.argv[1:]
    main(*texts, int(threads))
