"""A judged job below a sink in no transaction, killed at random moments: readers get rows again, and the judge counts each record once.

judge.py [--kills N] [--seed S]
"""
import argparse
import json
import os
import random
import shutil
import sys

import supyo

ROWS = 105_000
RATE = 15_000
NUMBERS = f"""SET 'execution.checkpointing.interval' = '1500 ms';
CREATE TABLE numbers (n BIGINT, ts AS LOCALTIMESTAMP, WATERMARK FOR ts AS ts)
WITH ('connector' = 'datagen', 'rows-per-second' = '{RATE}', 'number-of-rows' = '{ROWS}', 'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '{ROWS}');
"""
OUT = """CREATE TABLE out (n BIGINT) WITH ('connector' = 'kafka', 'topic' = 'out', 'properties.bootstrap.servers' = 'embedded:{work}/log', 'format' = 'json',
  'sink.delivery-guarantee' = 'at-least-once', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
"""
OBJECTIVES = """apiVersion: openslo/v1
kind: SLO
metadata: {name: latency, annotations: {supyo.dev/role: deciding}}
spec:
  service: numbers
  indicator: {metadata: {name: latency}, spec: {thresholdMetric: {metricSource: {type: supyo, spec: {measure: end_to_end_latency}}}}}
  timeWindow: [{duration: 30m, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{op: lt, value: 5, target: 0.95}]
"""


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--kills", type=int, default=4)
    p.add_argument("--seed", type=int, default=random.randrange(10**9))
    args = p.parse_args()
    rng = random.Random(args.seed)
    work = os.path.abspath("build/e2e/judge")
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    out = OUT.format(work=work)
    for name, text in (("job.sql", NUMBERS + out + "INSERT INTO out SELECT n FROM numbers;\n"), ("slo.yaml", OBJECTIVES)):
        with open(f"{work}/{name}", "w", encoding="ascii") as f:
            f.write(text)
    command = ["run", f"{work}/job.sql", "--state", f"{work}/state", "--slo", f"{work}/slo.yaml", "--json"]
    killed = noted = 0
    while killed < args.kills:
        # What readers have had is noted once a second. A life gets one epoch at most, so that no kill comes too late.
        assert not supyo.run_killed(command, rng, 1.2, 2.2), f"seed {args.seed}: over after {killed} kills"
        killed += 1
        noted += os.path.exists(f"{work}/state/observer")
    done = supyo.run(*command, check=False)
    assert done.returncode in (0, 3, 4), done.stderr
    objective = json.loads(done.stdout)["slo"]["objectives"][0]
    counted = objective["good"] + objective["bad"]
    rows = supyo.query(out + "SELECT COUNT(*) AS written, COUNT(DISTINCT n) AS numbers FROM out")[-1]
    assert rows["numbers"] == ROWS, f"seed {args.seed}: {rows['numbers']} of {ROWS} at the sink"
    assert noted > 0 and rows["written"] > ROWS, f"seed {args.seed}: nothing was tried: {noted} notes, {rows}, {counted} counted"
    assert counted == ROWS, f"seed {args.seed}: {counted} records counted after {killed} kills, {ROWS} there were"
    print(f"judge: {killed} kills (seed {args.seed}), {rows['written'] - ROWS} rows written again, each of {ROWS} records counted once")


if __name__ == "__main__":
    sys.exit(main())
