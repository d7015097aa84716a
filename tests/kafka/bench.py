#!/usr/bin/env python3
"""Kafka source and sink beside a real broker: `make test-kafka BENCH=1`.

speed: rows per CPU-second of the whole process (the Kafka client's threads included, the broker's not) for a pass-through of 7-field JSON bids, beside kcat that
reads the same topic and throws it away; and rows per second by the clock.
flink: the same statement over the same topic in Flink 2.1 (one JVM, parallelism 1, no checkpoints, the third run of three), CPU of the whole JVM.
latency: exactly once kafka -> kafka at a 100 ms epoch; from the record's own time to a read_committed consumer, as a process of its own sees it.
"""
import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "broker"))   # behind: it has a broker.py, too

import flink_jvm
import run
from broker import ADDRESS, Broker
from confluent_kafka import Consumer, Producer, TopicPartition

COLUMNS = "auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, date_time TIMESTAMP(3), extra STRING"


def cpu_of(command, **kwargs):
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, **kwargs)
    after, end = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    if done.returncode != 0:
        sys.exit(f"{command} ended with {done.returncode}: {done.stderr[-2000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, end - begin


def put_bids(rows):
    mask = (1 << 64) - 1
    p = Producer({"bootstrap.servers": ADDRESS, "linger.ms": 20, "batch.size": 1000000, "queue.buffering.max.messages": 1000000})
    for i in range(rows):
        r = (i * 0x9E3779B97F4A7C15) & mask
        r ^= r >> 29
        ms = i // 10
        value = ('{"auction":%d,"bidder":%d,"price":%d,"channel":"Google","url":"https://shop.example/item.htm?query=%d","date_time":"2026-01-01 %02d:%02d:%02d.%03d","extra":"%016x"}'
                 % (1000 + r % 10000, 2000 + r % 50000, r % 1000000, r % 100, ms // 3600000 % 24, ms // 60000 % 60, ms // 1000 % 60, ms % 1000, r))
        while True:
            try:
                p.produce("bids", value, partition=i // 1000 % 2)
                break
            except BufferError:
                p.poll(0.5)
    p.flush(120)


def speed(rows):
    run.create("bids", 2)
    put_bids(rows)
    with open(f"{run.WORK}/q0.sql", "w") as f:
        f.write(run.table("b", "bids", COLUMNS + ", WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND", **run.EARLIEST)
                + f"CREATE TABLE o ({COLUMNS}) WITH ('connector'='blackhole');\nINSERT INTO o SELECT * FROM b;\n")
    command = [run.SUPYO, "run", f"{run.WORK}/q0.sql", "--set", "execution.checkpointing.interval=100ms"]
    times = [cpu_of(command) for _ in range(3)]
    cpu, wall = statistics.median(t[0] for t in times), statistics.median(t[1] for t in times)
    print(f"pass-through of JSON bids: {rows / cpu:,.0f} rows per CPU-second ({cpu:.2f} s), {rows / wall:,.0f} rows/s by the clock")
    if shutil.which("kcat"):
        kcat = [cpu_of(["kcat", "-C", "-b", ADDRESS, "-t", "bids", "-e", "-q", "-f", "", "-X", "check.crcs=true"]) for _ in range(3)]
        print(f"kcat, reading and dropping: {rows / statistics.median(t[0] for t in kcat):,.0f} rows per CPU-second")


def beside_flink(rows):
    """After speed(): needs its topic. Ours is run again, just before and after."""
    work = f"{run.WORK}/flink"
    os.makedirs(work)
    ours = [cpu_of([run.SUPYO, "run", f"{run.WORK}/q0.sql"])[0]]
    statement = "INSERT INTO o SELECT * FROM b;\n"
    with open(f"{run.WORK}/q0.sql") as f:
        declared = f.read().removesuffix(statement)
    took = flink_jvm.run(flink_jvm.fetch(), work, declared + 3 * statement, ["parallelism.default=1"], ["-Xmx1g", "-XX:+UseG1GC"])[-3:]
    ours.append(cpu_of([run.SUPYO, "run", f"{run.WORK}/q0.sql"])[0])
    theirs, mine = took[-1][0], statistics.mean(ours)
    print(f"Flink 2.1.3, the same statement and topic: {rows / theirs:,.0f} rows per CPU-second in its third run ({', '.join(f'{rows / cpu:,.0f}' for cpu, _ in took)}); "
          f"Supyo {rows / mine:,.0f}: {theirs / mine:.1f} times as many")


def latency(seconds, rate):
    run.create("lat-in", 1)
    run.create("lat-out", 1)
    columns = "id BIGINT, t_us BIGINT"
    run.write_job("lat", run.table("s", "lat-in", columns, scan_startup_mode="earliest-offset") + run.table("o", "lat-out", columns) + "INSERT INTO o SELECT * FROM s;")
    job = run.Job("lat", f"{run.WORK}/lat-state")
    c = Consumer({"bootstrap.servers": ADDRESS, "group.id": "lat", "isolation.level": "read_committed", "enable.auto.commit": False})
    c.assign([TopicPartition("lat-out", 0, 0)])
    p = Producer({"bootstrap.servers": ADDRESS, "linger.ms": 0})
    seen, sent = [], 0
    begin = time.time()
    while len(seen) < seconds * rate and time.time() - begin < seconds + 30:
        due = min(int((time.time() - begin) * rate), seconds * rate)
        while sent < due:
            p.produce("lat-in", json.dumps({"id": sent, "t_us": int(time.time() * 1e6)}))
            sent += 1
        p.poll(0)
        for m in c.consume(1000, 0.002):
            if not m.error():
                seen.append((int(time.time() * 1e6) - json.loads(m.value())["t_us"]) / 1000)
    c.close()
    run.check(job.end() == 0, "the job stops")
    run.check(len(seen) == seconds * rate, "records are missing:", len(seen))
    late = sorted(seen[rate * 2:])   # the first two seconds warm up
    print(f"visible latency, exactly once, 100 ms epochs, {rate}/s: p50 {late[len(late) // 2]:.0f} ms, p99 {late[len(late) * 99 // 100]:.0f} ms, max {late[-1]:.0f} ms")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--rows", type=int, default=2_000_000)
    p.add_argument("--seconds", type=int, default=20)
    p.add_argument("--rate", type=int, default=1000)
    p.add_argument("--only", default="")
    p.add_argument("--flink", action="store_true", help="Flink beside it (the first time fetches 300 MB)")
    args = p.parse_args()
    broker = Broker(f"{run.WORK}-broker")   # waits until it is the only one on the machine
    shutil.rmtree(run.WORK, ignore_errors=True)
    os.makedirs(run.WORK)
    try:
        broker.start()
        if args.only in ("", "speed"):
            speed(args.rows)
        if args.only in ("", "speed") and args.flink:
            beside_flink(args.rows)
        if args.only in ("", "latency"):
            latency(args.seconds, args.rate)
    finally:
        broker.stop()


if __name__ == "__main__":
    main()
