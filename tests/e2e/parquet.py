"""Tables of Parquet files: what Supyo writes DuckDB reads, and the other way round; a job that is killed writes each row once.

parquet.py [--kills N] [--seed S]
"""
import argparse
import glob
import os
import random
import shutil

import duckdb

import supyo

ROWS = 60000
WORK = os.path.abspath("build/e2e/parquet")
COLUMNS = "id BIGINT, k STRING, d DOUBLE, amount DECIMAL(12, 3), ts TIMESTAMP(6), day_ DATE, ok BOOLEAN, tags ARRAY<STRING>, m MAP<STRING, BIGINT>, r ROW<x INT, q ROW<y STRING, z ARRAY<DOUBLE>>>"


def table(name, path, columns=COLUMNS, more=""):
    return f"CREATE TABLE {name} ({columns}) {more} WITH ('connector'='filesystem', 'path'='{path}', 'format'='parquet');\n"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--kills", type=int, default=6)
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    rng = random.Random(args.seed)
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(f"{WORK}/in")
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    db.execute(f"""CREATE TABLE truth AS SELECT i AS id, CASE WHEN i % 7 > 0 THEN 'k' || i % 100 END AS k, i / 8.0::DOUBLE AS d, (i * 1.001)::DECIMAL(12, 3) AS amount,
                   TIMESTAMP '1960-01-01 00:00:00.000001' + to_seconds(i * 37777) AS ts, DATE '1999-12-31' + (i % 5)::INTEGER AS day_, i % 3 = 0 AS ok,
                   CASE WHEN i % 5 > 0 THEN ['t' || i, NULL, ''][1:i % 4] END AS tags, MAP {{'a': i, 'b': CASE WHEN i % 3 = 0 THEN -i END}} AS m,
                   CASE WHEN i % 11 > 0 THEN {{'x': (i % 100)::INTEGER, 'q': CASE WHEN i % 2 > 0 THEN {{'y': 'y' || i, 'z': [i / 2.0::DOUBLE, NULL]}} END}} END AS r FROM range({ROWS}) t(i)""")
    for part, codec in enumerate(["snappy", "zstd", "gzip", "uncompressed"]):   # in small row groups, so that reading goes on in the middle of a file
        db.execute(f"COPY (SELECT * FROM truth WHERE id % 4 = {part} ORDER BY id) TO '{WORK}/in/{part}.parquet' (FORMAT parquet, CODEC '{codec}', ROW_GROUP_SIZE 2048)")
    with open(f"{WORK}/copy.sql", "w") as f:
        f.write(table("src", f"{WORK}/in") + table("dst", f"{WORK}/out", more="PARTITIONED BY (day_)") + "INSERT INTO dst SELECT * FROM src;\n")
    command = ["run", f"{WORK}/copy.sql", "--state", f"{WORK}/state", "--set", "supyo.epoch.rows=2000", "--set", "supyo.batch.rows=200", "--set", "execution.checkpointing.interval=5ms"]
    seconds = supyo.timed(lambda: supyo.run(*command))
    shutil.rmtree(f"{WORK}/out")
    shutil.rmtree(f"{WORK}/state")
    killed = 0
    while killed < args.kills and not supyo.run_killed(command, rng, 0.02, max(0.1, seconds)):
        killed += 1
    supyo.run(*command)
    files = glob.glob(f"{WORK}/out/*/*")
    assert len(files) > 10 and all(f.endswith(".parquet") for f in files), files[:10]
    different = db.execute(f"""SELECT COUNT(*) FROM (
        SELECT id, k, d, amount, ts, day_, ok, tags, m, r, COUNT(*) FROM truth GROUP BY ALL EXCEPT ALL
        SELECT id, k, d, amount, ts, day_::DATE, ok, tags, m, r, COUNT(*) FROM read_parquet('{WORK}/out/*/*.parquet', hive_partitioning = true) GROUP BY ALL)""").fetchone()[0]
    rows = db.execute(f"SELECT COUNT(*) FROM read_parquet('{WORK}/out/*/*.parquet')").fetchone()[0]
    assert (different, rows) == (0, ROWS), f"seed {args.seed}: {different} rows of the truth are not there as they are, {rows} rows of {ROWS}"
    types = dict(db.execute(f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet('{files[0]}', hive_partitioning = false))").fetchall())
    assert types == {"id": "BIGINT", "k": "VARCHAR", "d": "DOUBLE", "amount": "DECIMAL(12,3)", "ts": "TIMESTAMP", "ok": "BOOLEAN",
                     "tags": "VARCHAR[]", "m": "MAP(VARCHAR, BIGINT)", "r": "STRUCT(x INTEGER, q STRUCT(y VARCHAR, z DOUBLE[]))"}, types
    print(f"parquet: {ROWS} rows of DuckDB's files copied with {killed} kills (seed {args.seed}), equal in DuckDB")


if __name__ == "__main__":
    main()
