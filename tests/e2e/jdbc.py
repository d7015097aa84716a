"""Connector 'jdbc': a job that looks names up in a database and writes into two of its tables, killed at random moments: the rows equal the truth, each appended row once.

jdbc.py [--postgres] [--rows N] [--kills N] [--seed S]     --postgres: a server of Debian's postgresql-15, started here; without it SQLite
"""
import argparse
import os
import random
import shutil
import sqlite3
import subprocess
import sys

import supyo
from postgres import Postgres

WORK = os.path.abspath("build/e2e/jdbc")
TABLES = """
CREATE TABLE names (k INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL, since TIMESTAMP, share NUMERIC(8, 3));
CREATE TABLE sums (k INTEGER PRIMARY KEY, name VARCHAR(40), n BIGINT, total BIGINT);
CREATE TABLE seen (id BIGINT, name VARCHAR(40), v INTEGER);
"""
SQL = """
SET 'execution.checkpointing.interval' = '20 ms';
CREATE TABLE rows_in (id BIGINT, k INT, v BIGINT, p AS PROCTIME()) WITH ('connector' = 'filesystem', 'path' = '{work}/rows.csv', 'format' = 'csv');
CREATE TABLE names (k INT, name STRING, PRIMARY KEY (k) NOT ENFORCED) WITH ({where}, 'table-name' = 'names', 'lookup.cache' = 'PARTIAL', 'lookup.partial-cache.max-rows' = '500');
CREATE TABLE sums (k INT, name STRING, n BIGINT, total BIGINT, PRIMARY KEY (k) NOT ENFORCED) WITH ({where}, 'table-name' = 'sums');
CREATE TABLE seen (id BIGINT, name STRING, v INT) WITH ({where}, 'table-name' = 'seen', 'driver' = 'org.postgresql.Driver');
CREATE VIEW named AS SELECT r.id, r.k, n.name, r.v FROM rows_in AS r LEFT JOIN names FOR SYSTEM_TIME AS OF r.p AS n ON r.k = n.k;
"""
INSERT = """
EXECUTE STATEMENT SET BEGIN
INSERT INTO sums SELECT k, MAX(name), COUNT(*), SUM(v) FROM named GROUP BY k HAVING COUNT(*) < 25;
INSERT INTO seen SELECT id, name, CAST(v AS INT) FROM named;
END;
"""


class Sqlite:
    where = f"'connector' = 'jdbc', 'url' = 'jdbc:sqlite:{WORK}/db.sqlite'"
    name = "SQLite"

    def run(self, sql):
        with sqlite3.connect(f"{WORK}/db.sqlite", timeout=30) as db:
            db.executescript(sql)
        db.close()

    def rows(self, sql):
        db = sqlite3.connect(f"{WORK}/db.sqlite", timeout=30)
        try:
            return [tuple("" if v is None else str(v) for v in row) for row in db.execute(sql)]
        finally:
            db.close()

    def stop(self):
        pass


def check(db, truth, rows, what):
    got = {k: (name, n, total) for k, name, n, total in db.rows("SELECT k, name, n, total FROM sums")}
    want = {str(k): (f"name of {k}" if k % 10 else "", str(len(v)), str(sum(v))) for k, v in truth.items() if len(v) < 25}
    wrong = [(k, got.get(k), want.get(k)) for k in sorted(got.keys() | want.keys()) if got.get(k) != want.get(k)]
    assert not wrong, f"{what}: {len(wrong)} of {len(want)} sums differ: {wrong[:3]}"
    assert 0 < len(want) < len(truth), "the HAVING takes no group back"
    seen = sorted((int(i), name, v) for i, name, v in db.rows("SELECT id, name, v FROM seen"))
    expected = sorted((i, f"name of {k}" if k % 10 else "", str(v)) for i, k, v in rows)
    assert seen == expected, f"{what}: {len(seen)} appended rows, {len(expected)} in the truth; first that differ: {[p for p in zip(seen, expected) if p[0] != p[1]][:2]}"


def write_job(db, count, keys, rng):
    """The job and its input: the rows, and the values of each key."""
    rows = [(i, rng.randrange(keys), rng.randrange(50)) for i in range(count)]
    truth = {}
    with open(f"{WORK}/rows.csv", "w", encoding="ascii") as f:
        for i, k, v in rows:
            truth.setdefault(k, []).append(v)
            f.write(f"{i},{k},{v}\n")
    with open(f"{WORK}/job.sql", "w", encoding="ascii") as f:
        f.write(SQL.format(work=WORK, where=db.where) + INSERT)
    return rows, truth


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--postgres", action="store_true")
    p.add_argument("--rows", type=int, default=20_000)
    p.add_argument("--kills", type=int, default=6)
    p.add_argument("--seed", type=int, default=random.randrange(10**9))
    args = p.parse_args()
    rng = random.Random(args.seed)
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    db = Postgres(f"{WORK}/postgres") if args.postgres else Sqlite()
    try:
        return run(db, args, rng)
    finally:
        db.stop()


def run(db, args, rng):
    keys = args.rows // 20
    rows, truth = write_job(db, args.rows, keys, rng)
    db.run(TABLES + "".join(f"INSERT INTO names (k, name, since, share) VALUES ({k}, 'name of {k}', '2020-01-01 00:00:01', 12.5);\n" for k in range(keys) if k % 10))

    def command():
        return ["run", f"{WORK}/job.sql", "--state", f"{WORK}/state", "--set", f"parallelism.default={rng.choice([1, 3])}"]

    def clean():
        shutil.rmtree(f"{WORK}/state", ignore_errors=True)
        db.run("DELETE FROM sums; DELETE FROM seen; DELETE FROM supyo_epochs;")

    seconds = supyo.timed(lambda: supyo.run(*command(), timeout=600))
    check(db, truth, rows, "a calm run")
    killed = runs = amid = 0
    while killed < args.kills:
        clean()
        while killed < args.kills and not supyo.run_killed(command(), rng, 0.02, max(0.1, seconds)):
            killed += 1
            amid += 0 < len(db.rows("SELECT id FROM seen")) < len(rows)
        supyo.run(*command(), timeout=600)
        check(db, truth, rows, f"seed {args.seed}, after {killed} kills")
        runs += 1
    back = supyo.query(SQL.format(work=WORK, where=db.where + ", 'scan.fetch-size' = '777'") + "SELECT COUNT(*) AS n, COUNT(DISTINCT id) AS ids FROM seen;")
    assert (back[-1]["n"], back[-1]["ids"]) == (len(rows), len(rows)), back[-1]
    secret = supyo.run("sql", "-e", SQL.format(work=WORK, where=db.where) + "SHOW CREATE TABLE seen; EXPLAIN SELECT * FROM seen;").stdout
    assert "hush" not in secret, secret
    print(f"jdbc: {db.name}: {len(truth)} groups and {len(rows)} appended rows equal to the truth after {killed} kills in {runs} runs, {amid} of them amid the rows (seed {args.seed})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
