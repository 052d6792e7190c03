"""The peers' readers: each yields record batches of the contract's columns, in the order of the shard's rows.

Every library is imported by the reader that uses it, so that no peer pays for another one's start.
"""

import pyarrow as pa


def read_with_pyarrow(shard, contract, threads, read_rows):
    import pyarrow.parquet as pq

    pa.set_cpu_count(threads)
    pa.set_io_thread_count(1)
    schema = pq.read_schema(shard)
    # Strings stay in their dictionaries: a value is looked up once per batch.
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    file = pq.ParquetFile(shard, read_dictionary=texts)
    yield from file.iter_batches(read_rows, columns=contract.columns, use_threads=threads > 1)


def read_with_polars(shard, contract, threads, read_rows):
    import os

    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl

    frame = pl.scan_parquet(shard, low_memory=True).select(contract.columns)
    row_count = pl.scan_parquet(shard).select(pl.len()).collect().item()
    for start in range(0, row_count, read_rows):
        table = frame.slice(start, read_rows).collect().to_arrow(compat_level=pl.CompatLevel.oldest())
        yield from table.combine_chunks().to_batches()


def read_with_duckdb(shard, contract, threads, read_rows):
    import duckdb

    database = duckdb.connect()
    database.execute(f"set threads = {threads}; set preserve_insertion_order = true")
    names = ", ".join(f'"{name}"' for name in contract.columns)
    yield from database.sql(f"select {names} from read_parquet('{shard}')").to_arrow_reader(read_rows)


READERS = {"pyarrow": read_with_pyarrow, "polars": read_with_polars, "duckdb": read_with_duckdb}
