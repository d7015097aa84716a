#!/usr/bin/env python3
"""What two-level aggregation gains when a few keys have most rows. Usage: bench/skew/bench.py [--rows 8000000] [--parallelism 4] [--runs 3]

A topic of four partitions in the embedded log for each share that one key has of all rows (the others go to 100,000 keys); each query reads it in one level and in two. Shown is the CPU of the busiest shard, which
bounds what the job can take however many cores there are (on idle cores a job's rate is the rows over that), and the CPU of all shards together, which is what the second level costs. CPU-seconds are the
operating system's, by thread, looked at every 10 ms until the process ends; of several runs, which alternate, the least disturbed one counts: the smallest.
"""
import argparse
import os
import shutil
import subprocess
import sys
import time

SUPYO = os.path.abspath(os.environ.get("SUPYO", "build/release/supyo"))
WORK = os.path.abspath("build/bench/skew")
SHARES = (0, 50, 90)
TOPIC = ("CREATE TABLE events (k BIGINT, v BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) WITH ('connector' = 'kafka', 'properties.bootstrap.servers' = 'embedded:{log}', "
         "'topic' = 'share{share}', 'format' = 'columnar', 'sink.partitions' = '4', 'scan.startup.mode' = 'earliest-offset'{bounded});\n")
FILL = ("CREATE TABLE ids (id BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '1000000000', 'fields.id.kind' = 'sequence', 'fields.id.start' = '0', 'fields.id.end' = '{last}');\n"
        "INSERT INTO events SELECT CASE WHEN MOD(id * 7919, 100) < {share} THEN 0 ELSE MOD(id * 1000003, 100000) END, id, CAST(TO_TIMESTAMP_LTZ(1767225600000 + id / 20, 3) AS TIMESTAMP(3)) FROM ids;\n")
QUERIES = {
    "tumbling count and sum, 10 s": "SELECT k, COUNT(*), SUM(v) FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY k, window_start, window_end",
    "GROUP BY, mini-batch": "SELECT k, COUNT(*), SUM(v) FROM events GROUP BY k",
}
LEVELS = {"one": "ONE_PHASE", "two": "TWO_PHASE", "auto": "AUTO"}   # AUTO has two levels here, of which the first steps aside where it gathers nothing


def write(name, text):
    path = f"{WORK}/{name}.sql"
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    return path


def fill(share, rows):
    marker = f"{WORK}/share{share}-{rows}"
    if os.path.exists(marker):
        return
    sql = TOPIC.format(log=f"{WORK}/log", share=share, bounded="") + FILL.format(last=rows - 1, share=share)
    subprocess.run([SUPYO, "run", write("fill", sql)], check=True, stdout=subprocess.DEVNULL)
    with open(marker, "w", encoding="ascii"):
        pass


def cpu_of_shards(pid):
    """CPU-seconds so far of each shard's thread."""
    out = {}
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/comm", encoding="ascii") as f:
                name = f.read().strip()
            if name.startswith("supyo-shard"):
                with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                    out[name] = int(f.read().split()[0]) / 1e9
    except OSError:
        pass
    return out


def run(query, levels, share, parallelism):
    sql = (f"SET 'parallelism.default' = '{parallelism}';\nSET 'table.optimizer.agg-phase-strategy' = '{levels}';\nSET 'table.exec.mini-batch.enabled' = 'true';\n"
           "SET 'table.exec.mini-batch.allow-latency' = '1 s';\nSET 'table.exec.mini-batch.size' = '50000';\nSET 'execution.checkpointing.interval' = '1 h';\n"
           + TOPIC.format(log=f"{WORK}/log", share=share, bounded=", 'scan.bounded.mode' = 'latest-offset'")
           + f"CREATE TABLE counted (k BIGINT, n BIGINT, s BIGINT, PRIMARY KEY (k) NOT ENFORCED) WITH ('connector' = 'blackhole');\nINSERT INTO counted {query};\n")
    path = write("query", sql)
    shards = {}
    with subprocess.Popen([SUPYO, "run", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        while process.poll() is None:
            for name, cpu in cpu_of_shards(process.pid).items():
                shards[name] = max(shards.get(name, 0), cpu)
            time.sleep(0.01)
        if process.returncode != 0:
            sys.exit(process.stdout.read())
    return max(shards.values()), sum(shards.values())


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rows", type=int, default=8_000_000)
    p.add_argument("--parallelism", type=int, default=4)
    p.add_argument("--runs", type=int, default=3)
    args = p.parse_args()
    if not os.path.exists(f"{WORK}/share{SHARES[0]}-{args.rows}"):
        shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK, exist_ok=True)
    for share in SHARES:
        fill(share, args.rows)
    print(f"{'CPU-seconds':30} {'hot key':>8} {'one level: busiest, all':>26} {'two levels: busiest, all':>26} {'auto: busiest, all':>20} {'gain of two, of auto':>21}")
    for name, query in QUERIES.items():
        for share in SHARES:
            took = {n: [] for n in LEVELS}
            for _ in range(args.runs):
                for n, strategy in LEVELS.items():
                    took[n].append(run(query, strategy, share, args.parallelism))
            least = {n: (min(t[0] for t in of), min(t[1] for t in of)) for n, of in took.items()}
            print(f"{name:30} {share:6} % {least['one'][0]:18.2f} {least['one'][1]:7.2f} {least['two'][0]:18.2f} {least['two'][1]:7.2f} {least['auto'][0]:12.2f} {least['auto'][1]:7.2f} {least['one'][0] / least['two'][0]:11.1f}x {least['one'][0] / least['auto'][0]:7.1f}x", flush=True)


if __name__ == "__main__":
    main()
