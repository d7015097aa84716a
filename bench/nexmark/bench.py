#!/usr/bin/env python3
"""Nexmark's queries from JSON files: events per CPU-second and memory. Usage: bench/nexmark/bench.py [--events 2000000] [--only q0,q5] [--runs 3] [--checkpoints] [--parallelism 1,2] [--flink] [--columnar]

The events are written once, as flat JSON files of people, auctions and bids, to build/bench/nexmark; each query reads what it needs to its end, into a blackhole. CPU seconds are the operating
system's for the whole process, so start and end are in them; of several runs the median is shown, and what of it was the kernel's (reading files, clearing memory: what neighbours on the machine disturb most). Of several parallelisms each run has all, one after another, so that what else the machine does
hits them alike; the second and later ones are shown with their loss: CPU-seconds against those of the first.
Columns are measured against JSON with --events 10000000: an empty job takes 0.02 CPU-seconds (0.01 of them the start of the process), which is a fifth of what windows over two million events in columns take, and
hardly anything of JSON, so that the ratio of the two would be that of the start.
With --flink each query runs on Flink 2.1.3 too, over the same files, in the same minutes: a TaskManager of its own (3 GB heap, G1, hashmap state), whose CPU alone is counted, in its third run,
without checkpoints, or with one a second as here. Its planner and JobManager cost it nothing; they are in Supyo's figure.
"""
import argparse
import glob
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
WORK = os.path.abspath("build/bench/nexmark")
SUPYO = os.environ.get("SUPYO", "build/release/supyo")
COLUMNS = {
    "person": "id BIGINT, name STRING, emailAddress STRING, creditCard STRING, city STRING, state STRING, `dateTime` TIMESTAMP(3), extra STRING",
    "auction": "id BIGINT, itemName STRING, description STRING, initialBid BIGINT, reserve BIGINT, `dateTime` TIMESTAMP(3), expires TIMESTAMP(3), seller BIGINT, category BIGINT, extra STRING",
    "bid": "auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, `dateTime` TIMESTAMP(3), extra STRING",
}
# What Flink cannot run, and what it has to be told in another way.
NOT_FLINK = {"q6": "cannot: OVER over a Top-N that takes rows back"}
FLINK_INSTEAD = {
    # Its count_char is a class of the benchmark's own jar; what it counts, said with built-in functions.
    "q14": lambda sql: re.sub(r"CREATE FUNCTION.*?;\n", "", sql).replace("count_char(extra, 'c')", "CAST(CHAR_LENGTH(extra) - CHAR_LENGTH(REPLACE(extra, 'c', '')) AS BIGINT)"),
}


def table(name, kind, more="", options=""):
    return f"CREATE TABLE {name} ({COLUMNS[kind]}{more}) WITH ('connector' = 'filesystem', 'path' = '{WORK}/{kind}', 'format' = 'json'{options});\n"


def topic(name, kind, more="", bounded=""):
    return (f"CREATE TABLE {name} ({COLUMNS[kind]}{more}) WITH ('connector' = 'kafka', 'properties.bootstrap.servers' = 'embedded:{WORK}/log', 'topic' = '{kind}', "
            f"'format' = 'columnar', 'scan.startup.mode' = 'earliest-offset'{bounded});\n")


def write_topics(events):
    """The same events as rows in columns."""
    marker = f"{WORK}/columnar-{events}-in-order"
    if os.path.exists(marker):
        return
    shutil.rmtree(f"{WORK}/log", ignore_errors=True)
    for old in glob.glob(f"{WORK}/columnar-*"):
        os.remove(old)
    for kind in COLUMNS:
        run(table(kind, kind) + topic(f"topic_{kind}", kind) + f"INSERT INTO topic_{kind} SELECT * FROM {kind};\n", f"write_{kind}")
    with open(marker, "w", encoding="ascii"):
        pass


def run(sql, name, durable=False):
    state = f"{WORK}/state"
    shutil.rmtree(state, ignore_errors=True)
    path = f"{WORK}/{name}.sql"
    with open(path, "w", encoding="utf-8") as f:
        f.write(sql)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(["/usr/bin/time", "-f", "kB %M", SUPYO, "run", path, *(["--state", state] if durable else [])], capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{name}: {done.stdout}{done.stderr}")
    rows = re.search(r"([\d,]+) rows in", done.stdout + done.stderr)
    memory = re.search(r"kB (\d+)", done.stderr)
    kernel = after.ru_stime - before.ru_stime
    return int(rows.group(1).replace(",", "")), after.ru_utime - before.ru_utime + kernel, int(memory.group(1)) / 1024, kernel


def write_events(events):
    marker = f"{WORK}/events-{events}-in-order"
    if os.path.exists(marker):
        return
    os.makedirs(WORK, exist_ok=True)
    for old in glob.glob(f"{WORK}/events-*"):
        os.remove(old)
    for kind in COLUMNS:
        shutil.rmtree(f"{WORK}/{kind}", ignore_errors=True)
    kinds = ", ".join(f"{kind} ROW<{columns}>" for kind, columns in COLUMNS.items())
    sql = f"CREATE TABLE datagen (event_type INT, {kinds}) WITH ('connector' = 'nexmark', 'events.num' = '{events}', 'first-event.rate' = '10000', 'supyo.seed' = '1', 'supyo.base-time' = '1767225577000');\n"
    # One file a kind: of several, each engine reads in an order of its own, and what comes late is work for the one and none for the other.
    sql += "".join(table(f"file_{kind}", kind, options=", 'sink.rolling-policy.file-size' = '100 GB'") for kind in COLUMNS) + "EXECUTE STATEMENT SET BEGIN\n"
    for number, (kind, columns) in enumerate(COLUMNS.items()):
        fields = ", ".join(f"{kind}.{c.split()[0]}" for c in columns.split(", "))
        sql += f"INSERT INTO file_{kind} SELECT {fields} FROM datagen WHERE event_type = {number};\n"
    run(sql + "END;\n", "write")
    with open(marker, "w", encoding="ascii"):
        pass


def on_flink(cluster, sql, args, parallelism, rows, ours):
    """A cluster for each query: none inherits another's heap and compiled code."""
    settings = [f"parallelism.default={parallelism}", *(["execution.checkpointing.interval=1 s"] if args.checkpoints else [])]
    declared, statement = sql[:sql.index("INSERT")], sql[sql.index("INSERT"):].rstrip().rstrip(";") + ";\n"
    try:
        with cluster:
            took = cluster.run(declared + 3 * statement, settings)[-3:]
            memory = cluster.peak_memory_mb()
    except (RuntimeError, subprocess.TimeoutExpired) as e:
        return f"   Flink: {str(e)[:200]}"
    cpu = took[-1][0]
    return f"   Flink {cpu:6.2f} CPU-s  {rows / cpu / 1e6:5.2f} M/CPU-s  {memory:6.0f} MB   {ours * cpu / rows:5.1f}x"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--events", type=int, default=2_000_000)
    p.add_argument("--only", default="")
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--parallelism", default="1", help="one or several, as in 1,2; Flink has the first")
    p.add_argument("--checkpoints", action="store_true", help="every second, with state on disk on both; else one at the end, and none")
    p.add_argument("--flink", action="store_true", help="Flink beside it (the first time fetches 300 MB; needs a JDK)")
    p.add_argument("--columnar", action="store_true", help="from topics of the embedded log that hold rows in columns, instead of JSON files")
    args = p.parse_args()
    write_events(args.events)
    if args.columnar:
        write_topics(args.events)
    names = sorted((os.path.basename(f)[:-4] for f in glob.glob(f"{HERE}/*.sql")), key=lambda n: (int(n[1:]) if n[1:].isdigit() else 99, n))
    names = [n for n in names if n not in ("tables", "q10", "q13") and (not args.only or n in args.only.split(","))]   # q10 and q13 read and write files of their own
    parallelisms = [int(n) for n in args.parallelism.split(",")]
    watermark = ", WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND"
    if args.flink:
        sys.path.append(f"{HERE}/../../tests/broker")
        from flink_cluster import Cluster
        beside = Cluster(f"{WORK}/flink")
    for name in names:
        with open(f"{HERE}/{name}.sql", encoding="ascii") as f:
            query = f.read()
        used = [kind for kind in COLUMNS if re.search(rf"\b{kind}\b", query)]
        tables = "".join(topic(kind, kind, watermark, ", 'scan.bounded.mode' = 'latest-offset'") if args.columnar else table(kind, kind, watermark) for kind in used)
        results = {n: [] for n in parallelisms}
        for _ in range(args.runs):
            for n in parallelisms:
                settings = f"SET 'parallelism.default' = '{n}';\nSET 'execution.checkpointing.interval' = '{'1 s' if args.checkpoints else '1 h'}';\n"
                results[n].append(run(settings + tables + query, name, args.checkpoints))
        rows = results[parallelisms[0]][0][0]
        cpu = {n: statistics.median(r[1] for r in of) for n, of in results.items()}
        first = cpu[parallelisms[0]]
        line = f"{name:6}  {rows:>9,} events  {first:6.2f} CPU-s  {rows / first / 1e6:5.2f} M/CPU-s  {max(r[2] for r in results[parallelisms[0]]):6.0f} MB  {statistics.median(r[3] for r in results[parallelisms[0]]):5.2f} CPU-s in the kernel"
        for n in parallelisms[1:]:
            line += f"   at {n}: {cpu[n]:6.2f} CPU-s, {cpu[n] / first:.2f}x"
        print(line, end="" if args.flink else "\n", flush=True)
        if args.flink and name in NOT_FLINK:
            print(f"   Flink: {NOT_FLINK[name]}", flush=True)
        elif args.flink:
            print(on_flink(beside, FLINK_INSTEAD.get(name, lambda q: q)("".join(table(kind, kind, watermark) for kind in used) + query), args, parallelisms[0], rows, rows / first), flush=True)


if __name__ == "__main__":
    main()
