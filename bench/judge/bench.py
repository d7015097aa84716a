#!/usr/bin/env python3
"""What judging costs a whole job: CPU seconds of the process without and with `--slo`, alternating. Usage: bench/judge/bench.py [--rows 8000000] [--runs 5] [--parallelism 1] [jobs ..]

A topic of the embedded log holds ROWS rows in columns, a million event times a second, a second of disorder. Each job reads it to its end with an epoch every 100 ms and the objectives of
examples/product and examples/orders but for repeats (not met, as the times are old; counting costs the same). `project`: rows are visible with their epoch; `written`: as they are written (blackhole); `window`: a count per
minute and user, held until the watermark. A row's cost is the difference of the medians over the rows; its share is of one core at a million rows a second.
"""
import argparse
import os
import resource
import shutil
import statistics
import subprocess

SUPYO = os.path.abspath(os.environ.get("SUPYO", "build/release/supyo"))
WORK = os.path.abspath("build/bench/judge")
TOPIC = ("CREATE TABLE events (id BIGINT, user_id BIGINT, amount BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) WITH ('connector' = 'kafka', 'topic' = 'events', "
         "'properties.bootstrap.servers' = 'embedded:{log}', 'format' = 'columnar', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');\n")
FILL = TOPIC + ("CREATE TABLE ids (id BIGINT, user_id BIGINT, amount BIGINT, late BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '{rows}', 'rows-per-second' = '100000000', "
                "'fields.id.kind' = 'sequence', 'fields.id.start' = '0', 'fields.id.end' = '{last}', 'fields.user_id.min' = '1', 'fields.user_id.max' = '10000', "
                "'fields.amount.min' = '1', 'fields.amount.max' = '1000', 'fields.late.min' = '0', 'fields.late.max' = '999');\n"
                "INSERT INTO events SELECT id, user_id, amount, CAST(TO_TIMESTAMP_LTZ(1767225600000 + id / 1000 - late, 3) AS TIMESTAMP(3)) FROM ids;\n")
SET = "SET 'execution.checkpointing.interval' = '100 ms';\nSET 'table.local-time-zone' = 'UTC';\n"
JOBS = {
    "project": ("CREATE TABLE out (id BIGINT, amount BIGINT) WITH ('connector' = 'filesystem', 'path' = '{work}/out', 'format' = 'parquet');\n"
                "INSERT INTO out SELECT id, amount * 2 FROM events WHERE MOD(amount, 100) = 0;\n"),
    "written": "CREATE TABLE out (id BIGINT, amount BIGINT) WITH ('connector' = 'blackhole');\nINSERT INTO out SELECT id, amount * 2 FROM events;\n",
    "window": ("CREATE TABLE out (user_id BIGINT, window_end TIMESTAMP(3), n BIGINT, total BIGINT) WITH ('connector' = 'filesystem', 'path' = '{work}/out', 'format' = 'parquet');\n"
               "INSERT INTO out SELECT user_id, window_end, COUNT(*), SUM(amount) FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY user_id, window_start, window_end;\n"),
}


def write(name, text):
    path = f"{WORK}/{name}.sql"
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    return path


def objectives():
    """Of documents 000 and 001: eight, four of them over 30 days. Repeats need columns that name a result: these jobs' have none in common."""
    documents = []
    for example in ("product", "orders"):
        with open(f"examples/{example}/slo.yaml", encoding="utf-8") as f:
            documents += [d for d in f.read().split("\n---\n") if "measure:" in d and "duplicate_rate" not in d]
    path = f"{WORK}/slo.yaml"
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n---\n".join(documents))
    return path


def cpu(*args):
    """User and system seconds of one run."""
    for left in ("out", "state"):
        shutil.rmtree(f"{WORK}/{left}", ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([SUPYO, "run", *args], capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 3, 4):
        raise SystemExit(done.stderr)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rows", type=int, default=8_000_000)
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--parallelism", type=int, default=1)
    p.add_argument("jobs", nargs="*", default=list(JOBS))
    args = p.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    topic = {"log": f"{WORK}/log", "work": WORK}
    cpu(write("fill", SET + FILL.format(rows=args.rows, last=args.rows - 1, **topic)))
    slo = objectives()
    print(f"{args.rows:,} rows, parallelism {args.parallelism}, medians of {args.runs} alternating runs, CPU seconds", flush=True)
    for name in args.jobs:
        command = [write(name, SET + TOPIC.format(**topic) + JOBS[name].format(**topic)), "--state", f"{WORK}/state", "--set", f"parallelism.default={args.parallelism}"]
        without, judged = [], []
        for _ in range(args.runs):
            without.append(cpu(*command))
            judged.append(cpu(*command, "--slo", slo))
        a, b = statistics.median(without), statistics.median(judged)
        ns = (b - a) / args.rows * 1e9
        print(f"{name:8} without {a:.2f} s ({min(without):.2f} to {max(without):.2f}), judged {b:.2f} s ({min(judged):.2f} to {max(judged):.2f}): {ns:.1f} ns a row, {ns / 10:.1f} % of a core at a million rows a second",
              flush=True)
    shutil.rmtree(WORK)


if __name__ == "__main__":
    main()
