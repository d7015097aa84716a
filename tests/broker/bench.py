#!/usr/bin/env python3
"""`supyo broker` beside a real Kafka broker: the same clients, the same topics, in turns. Usage: bench.py [--runs 3] [--records 400000] [--seconds 20] [--no-kafka] [--no-java]

1 KiB records, acks=all. Supyo syncs what it acknowledges to disk; Kafka leaves that to the page cache, as its defaults say.
in, out         records per second of kcat (librdkafka), and with the Java performance clients of Kafka
produce latency from produce() to the acknowledgement at 20,000 records/s, as librdkafka measures it
start           from the start of the process to the first answer to a client; memory: resident, after all of it
"""
import argparse
import importlib.util
import os
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient, NewTopic

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from broker import Broker as Supyo  # noqa: E402

WORK = os.path.abspath("build/e2e/broker-bench")
RATE = 20_000
BARS = {"in": ("at least 60,000", 60_000), "out": ("at least 120,000", 120_000), "p99 ms": ("at most 15", 15), "start ms": ("under 100", 100)}


def real_kafka():
    spec = importlib.util.spec_from_file_location("real_broker", os.path.join(HERE, "../kafka/broker.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answer_time(address, start):
    """Seconds until the broker that start() starts answers ApiVersions."""
    request = struct.pack(">ihhih", 10, 18, 0, 1, -1)
    host, port = address.split(":")
    answered = []

    def ask():
        while True:
            try:
                with socket.create_connection((host, int(port)), 1) as s:
                    s.settimeout(1)
                    s.sendall(request)
                    if s.recv(4):
                        answered.append(time.monotonic())
                        return
            except OSError:
                time.sleep(0.001)
    asker = threading.Thread(target=ask, daemon=True)
    begin = time.monotonic()
    asker.start()
    start()
    asker.join(120)
    return answered[0] - begin


def resident_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) / 1024


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(command, **kwargs):
    begin = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, **kwargs)
    if done.returncode != 0:
        sys.exit(f"{command} ended with {done.returncode}: {done.stderr[-2000:]}{done.stdout[-1000:]}")
    return time.monotonic() - begin, done.stdout


class Measured:
    """One broker and what was measured of it."""

    def __init__(self, name, broker, address, java, options):
        self.name, self.broker, self.address, self.java, self.options = name, broker, address, java, options
        self.pid, self.values, self.count = broker.process.pid, {}, 0

    def note(self, what, value):
        self.values.setdefault(what, []).append(value)
        print(f"  {self.name}: {what} {value:,.1f}", flush=True)

    def topic(self):
        self.count += 1
        name = f"bench-{self.count}"
        admin = AdminClient({"bootstrap.servers": self.address})
        admin.create_topics([NewTopic(name, self.options.partitions, 1)])[name].result(30)
        time.sleep(0.5)
        return name

    def drop(self, name):
        admin = AdminClient({"bootstrap.servers": self.address})
        admin.delete_topics([name])[name].result(30)

    def kcat(self):
        n, topic, before = self.options.records, self.topic(), cpu_s(self.pid)
        seconds, _ = timed(["kcat", "-P", "-b", self.address, "-t", topic, "-l", f"{WORK}/records", "-X", "acks=all", "-X", "linger.ms=5", "-X", "queue.buffering.max.messages=200000"])
        self.note("in", n / seconds)
        self.note("us of the broker's processor per record in", (cpu_s(self.pid) - before) / n * 1e6)
        before = cpu_s(self.pid)
        seconds, out = timed(["kcat", "-C", "-b", self.address, "-t", topic, "-o", "beginning", "-c", str(n), "-q", "-f", "."])
        if len(out) != n:
            sys.exit(f"{self.name}: kcat read {len(out)} of {n} records")
        self.note("out", n / seconds)
        self.note("us of the broker's processor per record out", (cpu_s(self.pid) - before) / n * 1e6)
        self.drop(topic)

    def latency(self):
        topic, late, value = self.topic(), [], os.urandom(1024)
        p = ck.Producer({"bootstrap.servers": self.address, "acks": "all", "linger.ms": 1, "queue.buffering.max.messages": 500_000})

        def done(error, message):
            if error is not None:
                sys.exit(f"{self.name}: {error}")
            late.append(message.latency() * 1000)
        begin, sent, most = time.monotonic(), 0, self.options.seconds * RATE
        while sent < most:
            due = min(int((time.monotonic() - begin) * RATE), most)
            while sent < due:
                p.produce(topic, value, on_delivery=done)
                sent += 1
            p.poll(0.001)
        p.flush(60)
        late = sorted(late[RATE * 2:])   # the first two seconds warm up
        self.note("p50 ms", late[len(late) // 2])
        self.note("p99 ms", late[len(late) * 99 // 100])
        self.note("max ms", late[-1])
        self.drop(topic)

    def java_clients(self):
        n, topic, tools = self.options.records, self.topic(), "org.apache.kafka.tools."
        properties = [f"bootstrap.servers={self.address}", "acks=all", "linger.ms=5"]
        produce = [*self.java, tools + "ProducerPerformance", "--topic", topic, "--record-size", "1024"]
        _, out = timed([*produce, "--num-records", str(n), "--throughput", "-1", "--producer-props", *properties])
        self.note("in, Java client", float(re.findall(r"([\d.]+) records/sec", out)[-1]))
        _, out = timed([*self.java, tools + "ConsumerPerformance", "--bootstrap-server", self.address, "--topic", topic, "--messages", str(n), "--group", f"g{self.count}"])
        self.note("out, Java client", float(out.strip().splitlines()[-1].split(",")[9]))   # nMsg.sec without the rebalance
        _, out = timed([*produce, "--num-records", str(RATE * self.options.seconds), "--throughput", str(RATE), "--producer-props", *properties])
        self.note("p99 ms, Java client", float(re.findall(r"([\d.]+) ms 99th", out)[-1]))
        self.drop(topic)


def start_supyo(options):
    shutil.rmtree(f"{WORK}/supyo", ignore_errors=True)
    b = Supyo(f"{WORK}/supyo")   # a port of its choice, then again at the same
    starts = []
    for _ in range(5):
        b.stop()
        starts.append(answer_time(b.address, b.start) * 1000)
    return b, b.address, statistics.median(starts)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--records", type=int, default=400_000)
    p.add_argument("--seconds", type=int, default=20)
    p.add_argument("--partitions", type=int, default=1)
    p.add_argument("--no-kafka", action="store_true")
    p.add_argument("--no-java", action="store_true")
    p.add_argument("--only", default="")
    options = p.parse_args()
    os.makedirs(WORK, exist_ok=True)
    with open(f"{WORK}/records", "w", encoding="ascii") as f:
        for i in range(options.records):
            f.write(f"{i:012d}" + "x" * 1012 + "\n")
    kafka = real_kafka()
    java = [kafka.java(), "-Xmx256m", "-XX:+UseSerialGC", "-cp", f"{kafka.CACHE}/lib/*"]
    brokers, real = [], None
    try:
        if not options.no_kafka:
            real = kafka.Broker(f"{WORK}/kafka")
            begin = answer_time(kafka.ADDRESS, real.start) * 1000
            brokers.append(Measured("Kafka", real, kafka.ADDRESS, java, options))
            brokers[-1].note("start ms", begin)
        b, address, begin = start_supyo(options)
        brokers.append(Measured("Supyo", b, address, java, options))
        brokers[-1].note("start ms", begin)
        for run in range(options.runs):
            for m in brokers if run % 2 else brokers[::-1]:
                if options.only in ("", "kcat"):
                    m.kcat()
                if options.only in ("", "latency"):
                    m.latency()
                if options.only in ("", "java") and not options.no_java:
                    m.java_clients()
        for m in brokers:
            m.note("memory MB", resident_mb(m.pid))
        b.stop()
    finally:
        if real is not None:
            real.stop()
    table(brokers)
    shutil.rmtree(WORK)


def table(brokers):
    print(f"| {'':42} | " + " | ".join(f"{m.name:>12}" for m in brokers) + " | bar |\n|---|" + "---|" * (len(brokers) + 1))
    for what in brokers[-1].values:
        median = [statistics.median(m.values[what]) if what in m.values else float("nan") for m in brokers]
        print(f"| {what:42} | " + " | ".join(f"{v:12,.1f}" for v in median) + f" | {BARS.get(what, ('',))[0]} |")


if __name__ == "__main__":
    main()
