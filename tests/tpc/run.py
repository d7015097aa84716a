"""The queries of TPC-H and TPC-DS, here and in DuckDB, which makes their tables and has their texts: the rows must be the same.

Usage: build/venv/bin/python tests/tpc/run.py [tpch tpcds] [--scale 0.01] [--only 17,19] [--parallelism 1]       (SUPYO: build/release/supyo)
With --parallelism the rows come as a stream: what a query says in the end must be the same. ORDER BY is kept and LIMIT is not: which of equal rows it takes is anybody's choice."""
import argparse
import decimal
import importlib.util
import json
import os
import re
import subprocess
import sys
import time

import duckdb

BINARY = os.path.abspath(os.environ.get("SUPYO", "build/release/supyo"))
WORK = os.path.abspath("build/tpc")
PATIENCE_S = 300   # for a query; then it hangs
TYPES = {"VARCHAR": "STRING", "INTEGER": "INT"}

# What Flink does not take, or would make a product of tables that nothing joins, since it joins in the order of FROM: (text, what stands for it).
REWRITTEN = {
    ("tpch", 15): [("GROUP BY\n        supplier_no", "GROUP BY\n        l_suppkey")],
    ("tpcds", 18): [("customer_demographics cd2,\n     customer,", "customer,\n     customer_demographics cd2,")],
    ("tpcds", 27): [("avg(agg1)", "AVG(CAST(agg1 AS DOUBLE))")],
    ("tpcds", 49): [(") CATALOG\n", ") catalog\n")],
    ("tpcds", 64): [("date_dim d2,\n        date_dim d3,\n        store,\n        customer,", "store,\n        customer,\n        date_dim d2,\n        date_dim d3,")],
    ("tpcds", 72): [("d1.d_date + 5", "d1.d_date + INTERVAL '5' DAY")],
}
# DuckDB divides doubles and rounds them, Flink decimals.
ROUNDED = {("tpcds", 78): 0.0101}


def connect(benchmark, scale):
    extensions = list(importlib.util.find_spec("duckdb_ext").submodule_search_locations)[0] + "/extensions"
    db = duckdb.connect(config={"extension_directory": extensions, "autoinstall_known_extensions": "false"})
    db.execute(f"LOAD {benchmark}")
    db.execute(f"CALL {'dbgen' if benchmark == 'tpch' else 'dsdgen'}(sf = {scale})")
    return db


def tables(db, directory):
    """CREATE TABLE of each, over Parquet, and the names of columns whose mean is cut off in Flink and not in DuckDB."""
    statements, whole = [], set()
    for (table,) in db.execute("SHOW TABLES").fetchall():
        columns = db.execute("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = ? ORDER BY ordinal_position", [table]).fetchall()
        whole |= {name for name, kind in columns if kind in ("INTEGER", "BIGINT")}
        path = f"{directory}/{table}"
        os.makedirs(path, exist_ok=True)
        db.execute(f"COPY {table} TO '{path}/rows.parquet' (FORMAT parquet)")
        fields = ", ".join(f"`{name}` {TYPES.get(kind, kind)}" for name, kind in columns)
        statements.append(f"CREATE TABLE {table} ({fields}) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'parquet');")
    return "\n".join(statements), whole


def in_flinks_dialect(key, text, whole):
    for before, after in REWRITTEN.get(key, []):
        if before not in text:
            sys.exit(f"{key[0]} {key[1]}: its text is another one: there is no {before!r}")
        text = text.replace(before, after)
    text = re.sub(r'"([^"]+)"', r"`\1`", text)
    text = re.sub(r"(?i)interval\s+'?(\d+)'?\s+days?\b", r"INTERVAL '\1' DAY", text)
    text = re.sub(r"(?i)cast\('(\d{4}-\d\d-\d\d)' as date\)", r"DATE '\1'", text)
    text = re.sub(r"(?i)\bint4\b", "INT", text)
    return re.sub(r"(?i)\bavg\(((?:\w+\.)?(\w+))\)", lambda m: f"AVG(CAST({m[1]} AS DOUBLE))" if m[2] in whole else m[0], text)


def value(v):
    return float(v) if isinstance(v, (int, float, decimal.Decimal)) and not isinstance(v, bool) else v if v is None else str(v)


def order(row):
    return tuple((v is not None, f"{v:.2f}" if isinstance(v, float) else str(v)) for v in row)


def same(a, b, slack):
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= max(slack, 1e-4 * max(1, abs(a), abs(b)))
    return a == b


def difference(ours, truth, slack):
    if len(ours) != len(truth):
        return f"{len(ours)} rows here, {len(truth)} there"
    for a, b in zip(sorted(ours, key=order), sorted(truth, key=order)):
        if len(a) != len(b) or not all(same(x, y, slack) for x, y in zip(a, b)):
            return f"here  {a}\n    there {b}"
    return None


def run(benchmark, scale, only, parallelism):
    directory = f"{WORK}/{benchmark}"
    db = connect(benchmark, scale)
    made, whole = tables(db, directory)
    settings = f"SET 'parallelism.default' = '{parallelism}';" if parallelism else "SET 'execution.runtime-mode' = 'batch';"
    equal, failed = 0, []
    for number, text in db.execute(f"SELECT query_nr, query FROM {benchmark}_queries()").fetchall():
        if only and number not in only:
            continue
        key = (benchmark, number)
        text = re.sub(r"(?i)\bLIMIT\s+\d+\s*$", "", text.strip().rstrip(";"))
        truth = [[value(v) for v in row] for row in db.execute(text).fetchall()]
        file = f"{directory}/{number}.sql"
        with open(file, "w", encoding="utf-8") as f:
            f.write(f"{settings}\n{made}\n{in_flinks_dialect(key, text, whole)};\n")
        began = time.monotonic()
        try:
            done = subprocess.run([BINARY, "sql", "-f", file, "--format", "json"], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        except subprocess.TimeoutExpired:
            done = None
        if done is None or done.returncode != 0:
            wrong = f"not done in {PATIENCE_S} s" if done is None else done.stderr.strip()
        else:
            ours = [[value(v) for v in json.loads(line, object_pairs_hook=lambda pairs: [v for _, v in pairs])] for line in done.stdout.splitlines()]
            if parallelism and not ours and len(truth) == 1:
                truth = []   # an aggregation of no rows and without GROUP BY: a stream has no row of it, as in Flink
            wrong = difference(ours, truth, ROUNDED.get(key, 0))
        if wrong:
            failed.append(number)
            print(f"{benchmark} {number}: {wrong}\n    {BINARY} sql -f {file}", flush=True)
        else:
            equal += 1
            print(f"{benchmark} {number}: {len(truth)} rows, {time.monotonic() - began:.1f} s", flush=True)
    print(f"{benchmark}: {equal} of {equal + len(failed)} equal" + (f", not {failed}" if failed else ""), flush=True)
    return not failed and equal > 0


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("benchmarks", nargs="*", default=["tpch", "tpcds"])
    p.add_argument("--scale", default="0.01")
    p.add_argument("--only", default="")
    p.add_argument("--parallelism", type=int, default=0)
    a = p.parse_args()
    only = {int(n) for n in a.only.split(",") if n}
    sys.exit(0 if all([run(b, a.scale, only, a.parallelism) for b in a.benchmarks]) else 1)


if __name__ == "__main__":
    main()
