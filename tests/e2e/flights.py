"""The flights pipeline end to end: what `supyo`, DuckDB and PyIceberg read back equals a computation that shares no code with it.

flights.py [--parallelism 1,2,4] [--kills N] [--seed S]
"""
import argparse
import os
import random
import shutil

import flights_truth
import iceberg
import supyo

DATA = os.path.abspath("build/flights")
ORDER = "ORDER BY 1, 2"
READ = f"SELECT origin, strftime(window_start, '%Y-%m-%d %H:%M:%S'), flights, delay_sum, delay_max FROM t {ORDER}"


def command(work, parallelism):
    return ["run", "examples/flights/pipeline.sql", "--var", f"DATA={work}", "--replay", "departure", "--state", f"{work}/state",
            "--set", f"parallelism.default={parallelism}"]


def fresh(name):
    work = os.path.abspath(f"build/e2e/{name}")
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    os.symlink(f"{DATA}/flights.csv", f"{work}/flights.csv")
    return work


def check(work, truth, label):
    table = f"{work}/warehouse/air/departures"
    main, late, everything, dead = truth
    assert iceberg.with_duckdb(table, READ) == main, f"{label}: DuckDB's reading differs from the truth"
    assert iceberg.with_pyiceberg(table, READ) == main, f"{label}: PyIceberg's reading differs from the truth"
    own = supyo.query(f"CREATE CATALOG lake WITH ('type'='iceberg','catalog-type'='hadoop','warehouse'='{work}/warehouse'); "
                      "SELECT origin, CAST(window_start AS STRING) AS s, flights, delay_sum, delay_max FROM lake.air.departures")
    assert sorted((r["origin"], r["s"][:19], r["flights"], r["delay_sum"], r["delay_max"]) for r in own) == main, f"{label}: our own reading differs"
    rows = supyo.query("SELECT origin, CAST(window_start AS STRING) AS s, COUNT(*) AS n, SUM(CAST(dep_delay AS BIGINT)) AS d, MAX(dep_delay) AS m "
                       "FROM `flights$late` GROUP BY origin, window_start", "--state", f"{work}/state")
    # a console query shows changes; the last row of a key is its value
    last = {(r["origin"], r["s"][:19]): (r["n"], r["d"], r["m"]) for r in rows}
    assert sorted((o, s, n, d, m) for (o, s), (n, d, m) in last.items()) == late, f"{label}: late rows differ"
    both = {}
    for o, s, n, d, m in main + late:
        n0, d0, m0 = both.get((o, s), (0, 0, -10**9))
        both[(o, s)] = (n0 + n, d0 + d, max(m0, m))
    assert sorted((o, s, n, d, m) for (o, s), (n, d, m) in both.items()) == everything, f"{label}: main + late is not everything"
    found = supyo.query("SELECT COUNT(*) AS n FROM `flights$dead`", "--state", f"{work}/state")
    assert found[-1]["n"] == dead, f"{label}: {found[-1]['n']} dead rows, expected {dead}"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--parallelism", default="1,2,4")
    p.add_argument("--kills", type=int, default=0)
    p.add_argument("--seed", type=int, default=random.randrange(10**9))
    args = p.parse_args()
    con = flights_truth.connect(f"{DATA}/flights.csv")
    truth = (flights_truth.main_rows(con), flights_truth.late_rows(con), flights_truth.all_rows(con), flights_truth.dead_count(con))

    seconds = 1.0
    for parallelism in args.parallelism.split(","):
        work = fresh(f"flights-{parallelism}")
        seconds = supyo.timed(lambda: supyo.run(*command(work, parallelism)))
        check(work, truth, f"parallelism {parallelism}")
        print(f"flights at parallelism {parallelism}: equal to the truth ({len(truth[0])} + {len(truth[1])} rows, {truth[3]} dead), {seconds:.1f} s")

    if args.kills:
        print(f"killing {args.kills} times, seed {args.seed}")
        rng = random.Random(args.seed)
        killed, runs = 0, 0
        while killed < args.kills:
            work = fresh("flights-killed")
            # Moments from the start-up to the end; the parallelism changes from one life to the next.
            while killed < args.kills and not supyo.run_killed(command(work, rng.choice([1, 3])), rng, 0.01, seconds):
                killed += 1
            supyo.run(*command(work, rng.choice([1, 3])))
            check(work, truth, f"after {killed} kills (seed {args.seed})")
            runs += 1
        print(f"flights: {killed} kills in {runs} runs, every run's rows equal the truth")


if __name__ == "__main__":
    main()
