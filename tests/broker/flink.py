#!/usr/bin/env python3
"""Flink's own Kafka connector (Flink 2.1.3, connector 4.0.1-2.0) over `supyo broker`: bounded source with metadata, exactly-once sink, upsert-kafka. Needs a JDK, pip, Maven.

Usage: flink.py     The first run fetches Flink (about 300 MB) into the cache.
"""
import collections
import fcntl
import json
import os
import random
import shutil
import sys

import confluent_kafka as ck

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from broker import Broker, check  # noqa: E402
import flink_jvm  # noqa: E402
from clients import create, ends, producer  # noqa: E402

WORK = os.path.abspath("build/e2e/broker-flink")
SQL = """
CREATE TABLE events (id BIGINT, word STRING, stamp TIMESTAMP(3) METADATA FROM 'timestamp', part INT METADATA FROM 'partition' VIRTUAL, off BIGINT METADATA FROM 'offset' VIRTUAL)
  WITH ('connector'='kafka', 'topic'='events', 'properties.bootstrap.servers'='{b}', 'properties.group.id'='flink', 'scan.startup.mode'='earliest-offset',
        'scan.bounded.mode'='latest-offset', 'format'='json');
CREATE TABLE copies (id BIGINT, word STRING, part INT, off BIGINT)
  WITH ('connector'='kafka', 'topic'='copies', 'properties.bootstrap.servers'='{b}', 'format'='json', 'sink.delivery-guarantee'='exactly-once',
        'sink.transactional-id-prefix'='copies', 'properties.transaction.timeout.ms'='600000');
CREATE TABLE counts (word STRING, n BIGINT, PRIMARY KEY (word) NOT ENFORCED)
  WITH ('connector'='upsert-kafka', 'topic'='counts', 'properties.bootstrap.servers'='{b}', 'key.format'='json', 'value.format'='json');
INSERT INTO copies SELECT id, word, part, off FROM events;
INSERT INTO counts SELECT word, COUNT(*) FROM events GROUP BY word;
"""


def run_sql(lib, b):
    flink_jvm.run(lib, WORK, SQL.format(b=b.address), ["parallelism.default=2", "execution.checkpointing.interval=300ms"], ["-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])


def committed(b, topic):
    """All messages of a topic as read_committed sees them."""
    c = ck.Consumer({"bootstrap.servers": b.address, "group.id": "check", "isolation.level": "read_committed", "enable.partition.eof": True})
    c.assign([ck.TopicPartition(topic, p, 0) for p in (0, 1)])
    messages, at_end = [], set()
    while len(at_end) < 2:
        m = c.poll(30)
        check(m is not None, f"{topic} is read to its end")
        if m.error() is None:
            messages.append(m)
        else:
            check(m.error().code() == ck.KafkaError._PARTITION_EOF, str(m.error()))
            at_end.add(m.partition())
    c.close()
    return messages


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    lock = open("/tmp/jvm.lock", "w")   # one of the big JVMs at a time
    fcntl.flock(lock, fcntl.LOCK_EX)
    lib, rng, rows = fetch(), random.Random(7), 20_000
    with Broker(f"{WORK}/data") as b:
        for topic in ("events", "copies", "counts"):
            create(b, topic, 2, **({"cleanup.policy": "compact"} if topic == "counts" else {}))
        p, truth = producer(b), []
        for i in range(rows):
            truth.append({"id": i, "word": rng.choice("abcdefgh")})
            p.produce("events", json.dumps(truth[-1]).encode(), partition=i % 2)
            p.poll(0)
        p.flush(30)
        run_sql(lib, b)
        copies = sorted((json.loads(m.value()) for m in committed(b, "copies")), key=lambda r: r["id"])
        check(copies == [{**r, "part": r["id"] % 2, "off": r["id"] // 2} for r in truth], f"each row once, with its partition and offset: {len(copies)} of {rows}")
        last = {json.loads(m.key())["word"]: json.loads(m.value())["n"] for m in committed(b, "counts")}
        check(last == dict(collections.Counter(r["word"] for r in truth)), f"counts by word: {last}")
        for partition in (0, 1):
            check(ends(b, "copies", partition) == ends(b, "copies", partition, "read_committed"), "no transaction hangs")
        check(b.stop() == 0, "a clean stop")
    print(f"Flink's Kafka connector: {rows} rows read to the end, written exactly once and as an upsert table", flush=True)


if __name__ == "__main__":
    main()
