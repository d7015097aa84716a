"""The lab's job (LAG over event time, embedded log -> Iceberg) killed at random moments: the table's rows equal the generator's truth.

product.py [--kills N] [--count N] [--seed S]
"""
import argparse
import json
import os
import random
import shutil

import iceberg
import supyo


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--kills", type=int, default=10)
    p.add_argument("--count", type=int, default=20000)
    p.add_argument("--seed", type=int, default=random.randrange(10**9))
    args = p.parse_args()
    rng = random.Random(args.seed)
    killed = runs = 0
    seconds = None
    while killed < args.kills or runs == 0:
        work = os.path.abspath("build/e2e/product")
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(work)
        supyo.run("gen", "product", "--tps", 2000, "--count", args.count, "--seed", rng.randrange(10**6), "--disorder", "1s",
                  "--to", f"embedded:{work}/log/product-events", "--truth", f"{work}/truth.jsonl")
        # The topic is read to its end, so that the run ends: the file is the example's, with a bound and many small epochs.
        sql = open("examples/product/pipeline.sql").read().replace("'format' = 'json'", "'scan.bounded.mode' = 'latest-offset', 'format' = 'json'")
        open(f"{work}/pipeline.sql", "w").write(sql)

        def command():
            return ["run", f"{work}/pipeline.sql", "--var", f"DATA={work}", "--state", f"{work}/state", "--set", "execution.checkpointing.interval=20ms",
                    "--set", f"parallelism.default={rng.choice([1, 3])}"]

        if seconds is None:
            seconds = supyo.timed(lambda: supyo.run(*command()))
        while killed < args.kills and not supyo.run_killed(command(), rng, 0.005, max(0.1, seconds)):
            killed += 1
        supyo.run(*command())
        truth = sorted((t["event_id"], t["previous_price"], t["previous_stock"]) for t in map(json.loads, open(f"{work}/truth.jsonl")))
        rows = iceberg.with_duckdb(f"{work}/warehouse/shop/product_changes", "SELECT event_id, previous_price, previous_stock FROM t ORDER BY 1")
        assert rows == truth, f"seed {args.seed}, after {killed} kills: {len(rows)} rows against {len(truth)} of the truth; first difference " + \
            str(next((a, b) for a, b in zip(rows + [None], truth + [None]) if a != b))
        runs += 1
    print(f"product: {killed} kills in {runs} runs (seed {args.seed}), every run's {args.count} rows equal the truth")


if __name__ == "__main__":
    main()
