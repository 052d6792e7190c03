"""Compares the job's scores with the model's own: python compare.py SCORES.arrow MODEL/torch.parquet"""

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

# Sums of float32 in another order; PyTorch and ONNX Runtime have kernels of their own.
TOLERANCE = 1e-5

job = pa.ipc.open_file(sys.argv[1]).read_all()
own = pq.ParquetFile(sys.argv[2]).read()
if job["impression_id"].to_pylist() != own["impression_id"].to_pylist():
    sys.exit("the rows differ")
apart = max(np.abs(job[name].to_numpy() - own[name].to_numpy()).max() for name in ("pctr", "pcvr"))
print(f"{job.num_rows} rows; the job's scores are within {apart:.1e} of PyTorch's")
if not apart <= TOLERANCE:
    sys.exit(f"expected at most {TOLERANCE}")
