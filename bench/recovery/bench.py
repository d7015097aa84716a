#!/usr/bin/env python3
"""How long a job with much state is away: `kill -9`, started again, until its next epoch is committed. Usage: bench/recovery/bench.py [--keys 10000000] [--runs 3] [--parallelism 1]

A topic of the embedded log holds KEYS rows, each with a key of its own and a text of 80 bytes; the job keeps the last text of every key (about 100 bytes each). It is killed when all of them
are in the state and a snapshot is on disk, and started again; files are in the page cache. Beside it: how long the same start takes without any state, and reading the state's files with cat.
"""
import argparse
import glob
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import time
import urllib.request

SUPYO = os.path.abspath(os.environ.get("SUPYO", "build/release/supyo"))
WORK = os.path.abspath("build/bench/recovery")
TOPIC = ("CREATE TABLE events (id BIGINT, note STRING) WITH ('connector' = 'kafka', 'properties.bootstrap.servers' = 'embedded:{log}', 'topic' = 'events', 'format' = 'columnar', "
         "'scan.startup.mode' = 'earliest-offset');\n")
FILL = TOPIC + ("CREATE TABLE ids (id BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '{keys}', 'rows-per-second' = '100000000', 'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '{keys}');\n"
                "INSERT INTO events SELECT id, LPAD(CAST(id AS STRING), 80, 'abcdefgh') FROM ids;\n")
FEED = TOPIC + ("CREATE TABLE ids (id BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '1000', 'fields.id.min' = '1', 'fields.id.max' = '{keys}');\n"
                "INSERT INTO events SELECT id, LPAD(CAST(id AS STRING), 80, 'hgfedcba') FROM ids;\n")
JOB = ("SET 'parallelism.default' = '{parallelism}';\nSET 'execution.checkpointing.interval' = '100 ms';\n" + TOPIC +
       "CREATE TABLE out (id BIGINT, note STRING, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'blackhole');\nINSERT INTO out SELECT id, LAST_VALUE(note) FROM events GROUP BY id;\n")


def write(name, text):
    path = f"{WORK}/{name}.sql"
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    return path


def status(state):
    try:
        with open(f"{state}/status.json", encoding="utf-8") as f:
            return json.load(f)
    except (OSError, ValueError):
        return None


def start(sql, state):
    return subprocess.Popen([SUPYO, "run", sql, "--state", state], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait(process, state, ready, what, limit=900):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        now = status(state)
        if now and ready(now):
            return now
        if process.poll() is not None:
            raise SystemExit(f"the job ended while waiting for {what}")
        time.sleep(0.005)
    raise SystemExit(f"{what} did not come: {status(state)}")


def committed_after_start(sql, state):
    """Seconds from the start of the process to the first epoch that it committed, and CPU seconds of the process then. Asked of the process itself: status.json is a second old."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    began = time.monotonic()
    process = subprocess.Popen([SUPYO, "run", sql, "--state", state, "--serve", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/job", timeout=10) as answer:
                if json.load(answer)["epochs"]["completed"] > 0:
                    break
        except OSError:
            if process.poll() is not None or time.monotonic() - began > 900:
                raise SystemExit("the job ended before its first commit") from None
        time.sleep(0.005)
    took = time.monotonic() - began
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return process, took, cpu


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--keys", type=int, default=10_000_000)
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--parallelism", type=int, default=1)
    args = p.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    log = f"{WORK}/log"
    subprocess.run([SUPYO, "run", write("fill", FILL.format(log=log, keys=args.keys))], check=True, stdout=subprocess.DEVNULL)
    feed = subprocess.Popen([SUPYO, "run", write("feed", FEED.format(log=log, keys=args.keys))], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    job = write("job", JOB.format(log=log, parallelism=args.parallelism))
    state = f"{WORK}/state"
    process = start(job, state)
    now = wait(process, state, lambda s: s["rows_in"] >= args.keys, "all rows")
    wait(process, state, lambda s: s["epochs"]["last_final"] > now["epochs"]["last_final"] + 3, "three more epochs")
    times = []
    for _ in range(args.runs):
        kill(process)
        process, took, cpu = committed_after_start(job, state)
        times.append((took, cpu))
    kill(process)
    small = write("small", JOB.format(log=log, parallelism=args.parallelism).replace("earliest", "latest"))
    process, empty, _ = committed_after_start(small, f"{WORK}/none")
    kill(process)
    kill(feed)
    files = [f for f in glob.glob(f"{state}/**/*", recursive=True) if os.path.isfile(f)]
    began = time.monotonic()
    subprocess.run(["cat", *files], stdout=subprocess.DEVNULL, check=True)
    read = time.monotonic() - began
    size = sum(os.path.getsize(f) for f in files)
    print(f"{args.keys:,} keys, {size / 1e6:,.0f} MB of state, parallelism {args.parallelism}: first commit {', '.join(f'{t:.2f}' for t, _ in times)} s after the start (median {statistics.median(t for t, _ in times):.2f}; "
          f"{statistics.median(c for _, c in times):.2f} CPU-s); a job without state {empty:.2f} s; cat of the files {read:.2f} s")
    shutil.rmtree(WORK)


if __name__ == "__main__":
    main()
