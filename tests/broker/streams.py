#!/usr/bin/env python3
"""Kafka Streams' own word count (kafka-streams-examples 4.0.0, on Kafka Streams 4.1.1) over `supyo broker`, exactly once, while it and the broker are killed. Needs a JVM and Maven.

Every word's counts in the output are 1, 2, 3.. n, each once: a record counted twice or lost, a state store restored wrongly, or an output of an aborted
transaction that is visible, would break the row.
"""
import collections
import fcntl
import hashlib
import os
import random
import shutil
import subprocess
import sys
import time

import confluent_kafka as ck

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from broker import Broker, check  # noqa: E402
from clients import admin_client, create, producer  # noqa: E402

CACHE = os.path.join(os.environ.get("SUPYO_DEPS") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "supyo"), "kafka-4.1.1")
EXAMPLES, SHA256 = "kafka-streams-examples-4.0.0.jar", "0a46e357ef311fb354f31226312a7864d6ef9da1f8e52990b5e7da9414dd7415"
WORK = os.path.abspath("build/e2e/broker-streams")
IN, OUT = "streams-plaintext-input", "streams-wordcount-output"   # the example's names
WORDS = ["rider", "dong", "delivery", "shift", "rain", "lunch", "peak", "lag"]


def fetch():
    check(os.path.isdir(f"{CACHE}/lib"), f"Kafka's jars are in {CACHE}/lib: `make test-kafka` or `supyo stack up kafka` fetch them")
    path = f"{CACHE}/{EXAMPLES}"
    if not os.path.exists(path):
        subprocess.run(["mvn", "-B", "-q", "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy", "-Dartifact=org.apache.kafka:kafka-streams-examples:4.0.0", f"-DoutputDirectory={CACHE}"],
                       check=True)
    with open(path, "rb") as f:
        check(hashlib.sha256(f.read()).hexdigest() == SHA256, f"{path} has the pinned checksum")
    return path


class WordCount:
    def __init__(self, b, jar):
        self.jar, self.process = jar, None
        with open(f"{WORK}/streams.properties", "w", encoding="ascii") as f:
            f.write(f"bootstrap.servers={b.address}\nprocessing.guarantee=exactly_once_v2\ncommit.interval.ms=100\nnum.stream.threads=2\nstatestore.cache.max.bytes=0\n"
                    f"state.dir={WORK}/state\nsession.timeout.ms=6000\nauto.offset.reset=earliest\n")
        with open(f"{WORK}/log4j2.properties", "w", encoding="ascii") as f:
            f.write("rootLogger.level=INFO\nappender.c.type=Console\nappender.c.name=C\nappender.c.layout.type=PatternLayout\nappender.c.layout.pattern=%d %p %c{1} %m%n\n"
                    "rootLogger.appenderRef.c.ref=C\n")

    def start(self):
        with open(f"{WORK}/streams.log", "ab") as log:
            self.process = subprocess.Popen(["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dlog4j2.configurationFile=file:{WORK}/log4j2.properties", "-cp",
                                             f"{self.jar}:{CACHE}/lib/*", "org.apache.kafka.streams.examples.wordcount.WordCountDemo", f"{WORK}/streams.properties"],
                                            stdout=log, stderr=log)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Counts:
    """The output as a read_committed consumer sees it: the counts of each word in their order."""

    def __init__(self, b):
        self.seen = collections.defaultdict(list)
        self.consumer = ck.Consumer({"bootstrap.servers": b.address, "group.id": "counts", "isolation.level": "read_committed", "log_level": 0, "error_cb": lambda _: None})
        self.consumer.assign([ck.TopicPartition(OUT, p, 0) for p in (0, 1)])

    def take(self):
        for m in self.consumer.consume(1000, 0.2):
            if m.error() is None:
                self.seen[m.key().decode()].append(int.from_bytes(m.value(), "big"))
        return sum(map(len, self.seen.values()))


def feed(b, rng, truth, lines):
    p = producer(b)
    for _ in range(lines):
        words = rng.choices(WORDS, k=rng.randint(1, 6))
        truth.update(words)
        p.produce(IN, " ".join(words).encode(), partition=rng.randrange(2))
    check(p.flush(60) == 0, "the input is written")


def until(counts, enough, seconds, what):
    end = time.monotonic() + seconds
    while counts.take() < enough:
        check(time.monotonic() < end, f"{what}: {sum(map(len, counts.seen.values()))} of {enough} counts; see {WORK}/streams.log")


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    lock = open("/tmp/jvm.lock", "w")   # one of the big JVMs at a time
    fcntl.flock(lock, fcntl.LOCK_EX)
    rng, truth, jar = random.Random(7), collections.Counter(), fetch()
    with Broker(f"{WORK}/data") as b:
        create(b, IN, 2)
        create(b, OUT, 2)
        feed(b, rng, truth, 500)
        job, counts = WordCount(b, jar), Counts(b)
        try:
            job.start()
            until(counts, sum(truth.values()), 90, "the first records")
            for kill in ("job", "broker", "job", "broker"):
                feed(b, rng, truth, 2000)
                until(counts, sum(truth.values()) - 5000, 60, f"before the {kill} is killed")
                if kill == "job":
                    job.kill()
                    job.start()
                else:
                    b.kill()
                    b.start()
            until(counts, sum(truth.values()), 120, "all records")
            time.sleep(1)
            counts.take()
        finally:
            job.kill()
        for word, count in truth.items():
            check(counts.seen[word] == list(range(1, count + 1)), f"'{word}' counts to {count} without a gap or a repetition: {counts.seen[word][-5:]}")
        topics = admin_client(b).list_topics(timeout=10).topics
        check(any("repartition" in t for t in topics) and any("changelog" in t for t in topics), f"its internal topics: {sorted(topics)}")
        counts.consumer.close()
        check(b.stop() == 0, "a clean stop")
    print(f"Kafka Streams word count, exactly once: {sum(truth.values())} words, every count once and in order; the job and the broker were killed twice each", flush=True)


if __name__ == "__main__":
    main()
