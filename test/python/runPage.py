"""Runs the Python blocks of a page, one after the other in one namespace, and checks what each of them shows.

runPage.py PAGE EXPECTED.json PARTITION [--only HEADING]... [--without HEADING]...

A block that is followed by a block of text has to print that. One that leaves a table in `scores` has to have the rows of
EXPECTED.json, which holds for each partition `id: [pctr, pcvr, pctcvr]` as another reader found them: all of PARTITION, or of
every partition where the table has a column `dt`. A block that does neither only has to run.
"""

import argparse
import contextlib
import io
import json
import re
import shutil
import sys
from pathlib import Path

SCORES = ["pctr", "pcvr", "pctcvr"]
# onnxruntime's own session computes in another order than the job's; everything else reads the same bits.
TOLERANCE_OF_SESSIONS = 1e-6
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks_of(text):
    """Heading, line, code and expected output (None without) of every Python block."""
    found = list(FENCE.finditer(text))
    for index, block in enumerate(found):
        if block[1] != "python":
            continue
        following = found[index + 1] if index + 1 < len(found) else None
        is_output = following is not None and following[1] == "text" and not text[block.end() : following.start()].strip()
        headings = re.findall(r"^## (.*)$", text[: block.start()], re.MULTILINE)
        line = text.count("\n", 0, block.start()) + 1
        yield headings[-1] if headings else "", line, block[2], following[2] if is_output else None


def columns_of(table):
    """A table of any of the libraries as lists by column name."""
    if hasattr(table, "toArrow"):
        table = table.toArrow()
    elif hasattr(table, "to_arrow_table"):
        table = table.to_arrow_table()
    return table.to_pydict() if hasattr(table, "to_pydict") else table.to_dict(as_series=False)


def check_scores(table, expected, partition, code):
    columns = columns_of(table)
    ids = columns.pop("impression_id")
    days = columns.pop("dt", None)
    if days is None:
        wanted = expected[partition]
    else:
        wanted = {key: row for rows in expected.values() for key, row in rows.items()}
        for key, day in zip(ids, days):
            if str(key) not in expected[f"dt={day}"]:
                raise AssertionError(f"row {key} is in the wrong partition, {day}")
    if ".where(" not in code and "where " in code:
        # A filter on pctcvr that the block itself names.
        bound = float(re.search(r"where pctcvr > ([\d.]+)", code)[1])
        wanted = {key: row for key, row in wanted.items() if row[2] > bound}
    if len(wanted) < 100 or len(ids) != len(wanted) or len(set(ids)) != len(ids):
        raise AssertionError(f"{len(ids)} rows, {len(set(ids))} of them distinct, instead of {len(wanted)}")
    tolerance = TOLERANCE_OF_SESSIONS if "InferenceSession" in code else 0
    farthest = 0.0
    for name, values in columns.items():
        at = SCORES.index(name)
        for key, value in zip(ids, values):
            farthest = max(farthest, abs(value - wanted[str(key)][at]))
    if farthest > tolerance:
        raise AssertionError(f"a score is {farthest} off")
    sums = ", ".join(f"sum of {name} {sum(values):.3f}" for name, values in columns.items())
    return f"{len(ids)} rows, {sums}, at most {farthest:.2g} off"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("page", type=Path)
    parser.add_argument("expected", type=Path)
    parser.add_argument("partition")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--without", action="append", default=[])
    options = parser.parse_args()
    expected = json.loads(options.expected.read_text())
    namespace = {}
    checked = 0
    for heading, line, code, output in blocks_of(options.page.read_text(encoding="utf-8")):
        if heading in options.without or (options.only and heading not in options.only):
            continue
        place = f"{options.page.name}:{line}"
        if "spark" in code and shutil.which("java") is None:
            print(f"SKIPPED {place}: Spark needs Java, and there is none", flush=True)
            continue
        namespace.pop("scores", None)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, place, "exec"), namespace)
        shown = []
        if output is not None:
            if printed.getvalue() != output:
                raise AssertionError(f"{place} prints\n{printed.getvalue()}instead of\n{output}")
            shown.append("prints what stands there")
        if "scores" in namespace:
            shown.append(check_scores(namespace["scores"], expected, options.partition, code))
        print(f"{place}: {'; '.join(shown) or 'runs'}", flush=True)
        checked += len(shown)
    if checked == 0:
        sys.exit(f"{options.page}: no block was checked")


main()
