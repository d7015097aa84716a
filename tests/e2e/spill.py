"""State that outgrows its memory, killed at random moments and gone on with under either backend: the result equals the truth, exactly once, and nothing of the scratch stays.

spill.py [--rows N] [--kills N] [--seed S]
"""
import argparse
import os
import random
import shutil

import supyo

WORK = os.path.abspath("build/e2e/spill")
SQL = """
SET 'execution.checkpointing.interval' = '20 ms';
CREATE TABLE rows_in (id BIGINT, k INT, v BIGINT) WITH ('connector' = 'filesystem', 'path' = '{work}/rows.csv', 'format' = 'csv');
CREATE TABLE names (k INT, name STRING) WITH ('connector' = 'filesystem', 'path' = '{work}/names.csv', 'format' = 'csv');
CREATE TABLE sums (k INT, name STRING, n BIGINT, total BIGINT, highest BIGINT, kinds BIGINT, PRIMARY KEY (k) NOT ENFORCED)
  WITH ('connector' = 'upsert-kafka', 'properties.bootstrap.servers' = 'embedded:{work}/log', 'topic' = 'sums', 'key.format' = 'json', 'value.format' = 'json');
"""
INSERT = """
INSERT INTO sums SELECT r.k, n.name, COUNT(*), SUM(v), MAX(v), COUNT(DISTINCT v) FROM rows_in AS r JOIN names AS n ON r.k = n.k GROUP BY r.k, n.name;
"""


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--rows", type=int, default=30_000)
    p.add_argument("--kills", type=int, default=8)
    p.add_argument("--seed", type=int, default=random.randrange(10**9))
    args = p.parse_args()
    rng = random.Random(args.seed)
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    keys = args.rows // 20
    truth = {}
    with open(f"{WORK}/rows.csv", "w", encoding="ascii") as f:
        for i in range(args.rows):
            k, v = rng.randrange(keys), rng.randrange(50)
            truth.setdefault(k, []).append(v)
            f.write(f"{i},{k},{v}\n")
    with open(f"{WORK}/names.csv", "w", encoding="ascii") as f:
        for k in range(keys):
            f.write(f"{k},name of {k}\n")
    sql = f"{WORK}/job.sql"
    with open(sql, "w", encoding="ascii") as f:
        f.write(SQL.format(work=WORK) + INSERT)
    backends = []

    def command():
        backends.append(rng.choice(["rocksdb", "rocksdb", "hashmap"]))
        return ["run", sql, "--state", f"{WORK}/state", "--set", f"state.backend.type={backends[-1]}", "--set", "state.backend.rocksdb.memory.fixed-per-slot=32kb",
                "--set", f"parallelism.default={rng.choice([1, 3])}"]

    def check(killed):
        assert not os.path.exists(f"{WORK}/state/scratch"), "scratch that stays after the job has ended"
        read = SQL.format(work=WORK).replace("'topic' = 'sums'", "'topic' = 'sums', 'scan.bounded.mode' = 'latest-offset'")
        rows = supyo.query("SET 'execution.runtime-mode' = 'batch';" + read + "SELECT * FROM sums;")
        got = {r["k"]: (r["name"], r["n"], r["total"], r["highest"], r["kinds"]) for r in rows}
        want = {k: (f"name of {k}", len(v), sum(v), max(v), len(set(v))) for k, v in truth.items()}
        wrong = [(k, got.get(k), want.get(k)) for k in sorted(got.keys() | want.keys()) if got.get(k) != want.get(k)]
        assert not wrong, f"seed {args.seed}, after {killed} kills under {backends}: {len(wrong)} of {len(want)} groups differ: {wrong[:3]}"

    def clean():
        for name in ("state", "log"):
            shutil.rmtree(f"{WORK}/{name}", ignore_errors=True)

    seconds = supyo.timed(lambda: supyo.run(*command(), timeout=600))
    check(0)
    killed = runs = left = 0
    while killed < args.kills:
        clean()
        while killed < args.kills and not supyo.run_killed(command(), rng, 0.005, max(0.05, seconds)):
            killed += 1
            left += os.path.exists(f"{WORK}/state/scratch")
        supyo.run(*command(), timeout=600)
        check(killed)
        runs += 1
    assert left > 0, "no kill came while anything was spilled"
    print(f"spill: {len(truth)} groups equal to the truth after {killed} kills in {runs} runs, {left} of them with scratch left behind (seed {args.seed})")


if __name__ == "__main__":
    main()
