#!/usr/bin/env python3
"""State of several times the memory it may have: rows a second and memory of `state.backend.type` hashmap and rocksdb. Usage: bench/spill/bench.py [--keys 2000000] [--updates 500000] [--limit 64mb] [--parallelism 1]

A topic of the embedded log holds each of KEYS keys once with a text of 80 bytes, then UPDATES rows of random keys; the job keeps the last text of every key (some 110 bytes each, beside what its table
needs for an entry). Each backend reads the topic to its end, with a state directory. Memory is what the process has of its own (RssAnon), looked at every 20 ms; the rates are those of the two parts.
"""
import argparse
import json
import os
import shutil
import subprocess
import time

SUPYO = os.path.abspath(os.environ.get("SUPYO", "build/release/supyo"))
WORK = os.path.abspath("build/bench/spill")
TOPIC = ("CREATE TABLE events (id BIGINT, note STRING) WITH ('connector' = 'kafka', 'properties.bootstrap.servers' = 'embedded:{log}', 'topic' = 'events', 'format' = 'columnar', "
         "'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');\n")
FILL = TOPIC + ("CREATE TABLE ids (id BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '{rows}', 'rows-per-second' = '100000000', {fields});\n"
                "INSERT INTO events SELECT id, LPAD(CAST(id AS STRING), 80, '{pad}') FROM ids;\n")
JOB = TOPIC + ("CREATE TABLE out (id BIGINT, note STRING, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'blackhole');\n"
               "INSERT INTO out SELECT id, LAST_VALUE(note) FROM events GROUP BY id;\n")


def write(name, text):
    path = f"{WORK}/{name}.sql"
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    return path


def own_memory(pid):
    """Bytes that the process has of its own: no files, no shared memory."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return next((int(line.split()[1]) * 1024 for line in f if line.startswith("RssAnon")), 0)
    except OSError:
        return 0


def scratch_bytes(state):
    total = 0
    for directory, _, names in os.walk(f"{state}/scratch"):
        for name in names:
            try:
                total += os.path.getsize(os.path.join(directory, name))
            except OSError:
                pass
    return total


def rows_in(state):
    try:
        with open(f"{state}/status.json", encoding="utf-8") as f:
            return json.load(f)["rows_in"]
    except (OSError, ValueError):
        return 0


def measure(backend, args, job):
    state = f"{WORK}/state"
    shutil.rmtree(state, ignore_errors=True)
    began = time.monotonic()
    process = subprocess.Popen([SUPYO, "run", job, "--state", state, "--set", f"state.backend.type={backend}", "--set", f"state.backend.rocksdb.memory.fixed-per-slot={args.limit}",
                                "--set", f"parallelism.default={args.parallelism}"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    memory = scratch = 0
    filled = None
    looks = 0
    while process.poll() is None:
        memory = max(memory, own_memory(process.pid))
        if filled is None and rows_in(state) >= args.keys:
            filled = time.monotonic()
        if looks % 25 == 0:
            scratch = max(scratch, scratch_bytes(state))
        looks += 1
        time.sleep(0.02)
    ended = time.monotonic()
    if process.returncode != 0:
        raise SystemExit(process.stderr.read())
    parts = "the parts not told apart" if filled is None else f"{args.keys / (filled - began):,.0f} rows/s new keys, {args.updates / (ended - filled):,.0f} rows/s updates"
    print(f"{backend:8} {parts}; {ended - began:.1f} s in all, memory at most {memory / 2**20:,.0f} MiB, scratch at most {scratch / 2**20:,.0f} MiB", flush=True)
    assert not os.path.exists(f"{state}/scratch"), "scratch that stays"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--keys", type=int, default=2_000_000)
    p.add_argument("--updates", type=int, default=500_000)
    p.add_argument("--limit", default="64mb")
    p.add_argument("--parallelism", type=int, default=1)
    p.add_argument("--backends", default="hashmap,rocksdb")
    args = p.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    log = f"{WORK}/log"
    for name, rows, pad, fields in (("fill", args.keys, "abcdefgh", f"'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '{args.keys}'"),
                                    ("more", args.updates, "hgfedcba", f"'fields.id.min' = '1', 'fields.id.max' = '{args.keys}'")):
        subprocess.run([SUPYO, "run", write(name, FILL.format(log=log, rows=rows, pad=pad, fields=fields))], check=True, stdout=subprocess.DEVNULL)
    job = write("job", JOB.format(log=log))
    print(f"{args.keys:,} keys, {args.updates:,} updates, limit {args.limit} a shard, parallelism {args.parallelism}", flush=True)
    for backend in args.backends.split(","):
        measure(backend, args, job)
    shutil.rmtree(WORK)


if __name__ == "__main__":
    main()
