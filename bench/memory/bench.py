#!/usr/bin/env python3
"""Memory of a kept row and of a window's group. Usage: bench/memory/bench.py [--only join,tumble] [--rows 1000000,4000000]

Each query keeps all rows (or groups) of a generated input. The largest memory of the process (the system's ru_maxrss) is taken for each number of rows, and one more row costs the slope between them, so that what the
process needs anyway drops out. `none` is the same input without state, in the same run: what it costs is not the state's. From the slope of kept rows their payload is subtracted: 8 bytes a BIGINT or TIMESTAMP,
the text's own bytes; of groups nothing, key and count are part of the figure. Epochs of 100 ms, since what an epoch changed is held until its end. Tables double: the default of 1 and 4 million
entries finds buckets less than half full, 900000,3600000 nearly full.
"""
import argparse
import os
import subprocess
import sys

SUPYO = os.environ.get("SUPYO", "build/release/supyo")
WORK = os.path.abspath("build/bench/memory")
ROW = 4 * 8 + 80   # k, few, v, ts, note
SEQUENCE = "'fields.{0}.kind' = 'sequence', 'fields.{0}.start' = '{1}', 'fields.{0}.end' = '{2}'"
TIME = "ts AS TO_TIMESTAMP_LTZ(1767225600000 + MOD(id, 1000000), 3), WATERMARK FOR ts AS ts - INTERVAL '1' HOUR"   # all within 1000 seconds: nothing is over before the end
# k is unique, ten rows have one `few`.
EVENTS = "CREATE VIEW events AS SELECT id * 1000003 AS k, id / 10 AS few, id AS v, LPAD(CAST(id AS STRING), 80, 'x') AS note, ts FROM ids;\n"
ALL = "k, few, v, ts, note"
OUT = "BIGINT, few BIGINT, v BIGINT, ts TIMESTAMP_LTZ(3), note STRING"


def window(call, keys="k"):
    return "k BIGINT, n BIGINT", f"SELECT {keys}, COUNT(*) FROM TABLE({call}) GROUP BY {keys}, window_start, window_end"


def ranked(partition, order, most):
    return f"k {OUT}", f"SELECT {ALL} FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY {partition} ORDER BY {order}) AS place FROM events) WHERE place <= {most}"


# Name: columns of the sink, the query, entries a row of the input, payload of one (None: a group, everything counts), bar.
QUERIES = {
    "none": ("k BIGINT", "SELECT k FROM events WHERE v < 0", 1, 0, None),
    "join": (f"k {OUT}, w BIGINT", f"SELECT {', '.join('e.' + c for c in ALL.split(', '))}, o.w FROM events AS e JOIN other AS o ON e.k = o.id", 1, ROW, 200),
    "join, ten rows a key": (f"k {OUT}, w BIGINT", f"SELECT {', '.join('e.' + c for c in ALL.split(', '))}, o.w FROM events AS e JOIN other AS o ON e.few = o.id", 1, ROW, 200),
    "left join": (f"k {OUT}, w BIGINT", f"SELECT {', '.join('e.' + c for c in ALL.split(', '))}, o.w FROM events AS e LEFT JOIN other AS o ON e.k = o.id", 1, ROW, 200),
    "interval join": (f"k {OUT}, w BIGINT", f"SELECT {', '.join('e.' + c for c in ALL.split(', '))}, o.w FROM events AS e JOIN other AS o ON e.k = o.id AND e.ts BETWEEN o.ts - INTERVAL '2' HOUR AND o.ts", 1, ROW, 200),
    "last row of a key": (*ranked("k", "ts DESC", 1), 1, ROW, 200),
    "Top-10, one row a key": (*ranked("k", "v DESC", 10), 1, ROW, 200),
    "Top-10, ten rows a key": (*ranked("few", "v DESC", 10), 1, ROW, 200),
    "first row of a key": (f"k {OUT}", f"SELECT {ALL} FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY PROCTIME()) AS place FROM events) WHERE place = 1", 1, 8, 200),
    "GROUP BY count": ("k BIGINT, n BIGINT", "SELECT k, COUNT(*) FROM events GROUP BY k", 1, 16, 200),
    "MAX over counts": ("few BIGINT, n BIGINT", "SELECT few, MAX(n) FROM (SELECT k, few, COUNT(*) + k AS n FROM events GROUP BY k, few) GROUP BY few", 1, 24 + 8, 400),
    "COUNT(DISTINCT)": ("few BIGINT, n BIGINT", "SELECT few, COUNT(DISTINCT v) FROM events GROUP BY few", 1, 8, 200),
    "TUMBLE count": (*window("TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '1' HOUR)"), 1, None, 64),
    "HOP count, two windows": (*window("HOP(TABLE events, DESCRIPTOR(ts), INTERVAL '1' HOUR, INTERVAL '2' HOUR)"), 2, None, 64),
    "HOP count, five windows": (*window("HOP(TABLE events, DESCRIPTOR(ts), INTERVAL '1' HOUR, INTERVAL '5' HOUR)"), 5, None, 64),
    "SESSION count": (*window("SESSION(TABLE events PARTITION BY k, DESCRIPTOR(ts), INTERVAL '1' HOUR)"), 1, None, 64),
}


def peak_bytes(name, rows):
    sink, query = QUERIES[name][:2]
    sql = ("SET 'execution.checkpointing.interval' = '100 ms';\n"
           f"CREATE TABLE ids (id BIGINT, {TIME}) WITH ('connector' = 'datagen', 'rows-per-second' = '1000000000', {SEQUENCE.format('id', 0, rows - 1)});\n{EVENTS}"
           f"CREATE TABLE other (id BIGINT, w AS -id, {TIME}) WITH ('connector' = 'datagen', 'rows-per-second' = '1', {SEQUENCE.format('id', -1, -1)});\n"
           f"CREATE TABLE out_rows ({sink}) WITH ('connector' = 'blackhole');\nINSERT INTO out_rows {query};\n")
    path = f"{WORK}/query.sql"
    with open(path, "w", encoding="ascii") as f:
        f.write(sql)
    with subprocess.Popen([SUPYO, "run", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{name}: {said}")
    return usage.ru_maxrss * 1024, usage.ru_utime + usage.ru_stime


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", default="")
    p.add_argument("--rows", default="1000000,4000000")
    args = p.parse_args()
    os.makedirs(WORK, exist_ok=True)
    few, many = (int(n) for n in args.rows.split(","))
    print(f"{'bytes an entry':26} {'MB at ' + format(few, ','):>16} {'MB at ' + format(many, ','):>16} {'slope':>8} {'payload':>8} {'beyond':>8} {'bar':>5}  CPU-s")
    for name in QUERIES:
        if name != "none" and args.only and not any(part.strip() in name for part in args.only.split(",")):
            continue
        _, _, each, payload, bar = QUERIES[name]
        (small, _), (large, cpu) = peak_bytes(name, few), peak_bytes(name, many)
        slope = (large - small) / (many - few) / each
        missed = bar is not None and slope - (payload or 0) > bar
        print(f"{name:26} {small / 1e6:16.0f} {large / 1e6:16.0f} {slope:8.1f} {payload or 0:8} {slope - (payload or 0):8.1f} {bar or '':5}  {cpu:5.2f}{'   missed' if missed else ''}", flush=True)


if __name__ == "__main__":
    main()
