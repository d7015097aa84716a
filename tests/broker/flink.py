#!/usr/bin/env python3
"""Flink's own Kafka connector (Flink 2.1.3, connector 4.0.1-2.0) over `supyo broker`: bounded source with metadata, exactly-once sink, upsert-kafka. Needs a JDK, pip, Maven.

Usage: flink.py     The first run fetches Flink (about 300 MB) into the cache.
"""
import collections
import fcntl
import glob
import json
import os
import random
import re
import shutil
import subprocess
import sys

import confluent_kafka as ck

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from broker import Broker, check  # noqa: E402
from clients import create, ends, producer  # noqa: E402

CACHE = os.path.join(os.environ.get("SUPYO_DEPS") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "supyo"), "flink-2.1.3")
WORK = os.path.abspath("build/e2e/broker-flink")
PACKAGE, SHA256 = "apache-flink-libraries==2.1.3", "b48d3944755b9303f99d205ea1a9bcb798fc563a872c782393fb466f16d4f91c"
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


def fetch():
    lib = f"{CACHE}/lib"
    if os.path.exists(f"{CACHE}/.complete"):
        return lib
    os.makedirs(lib, exist_ok=True)
    with open(f"{CACHE}/requirements.txt", "w", encoding="ascii") as f:
        f.write(f"{PACKAGE} --hash=sha256:{SHA256}\n")
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--require-hashes", "-r", f"{CACHE}/requirements.txt", "-d", CACHE], check=True)
    source = glob.glob(f"{CACHE}/apache*flink*libraries-2.1.3.tar.gz")[0]
    subprocess.run(["tar", "xzf", source, "-C", CACHE, "--strip-components=1"], check=True)
    for jar in glob.glob(f"{CACHE}/deps/lib/*.jar"):
        shutil.move(jar, lib)
    subprocess.run(["mvn", "-B", "-q", "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy", "-Dartifact=org.apache.flink:flink-sql-connector-kafka:4.0.1-2.0",
                    f"-DoutputDirectory={lib}"], check=True)
    shutil.rmtree(f"{CACHE}/deps")
    os.remove(source)
    open(f"{CACHE}/.complete", "w", encoding="ascii").close()
    return lib


def run_sql(lib, b):
    with open(f"{WORK}/job.sql", "w", encoding="ascii") as f:
        f.write(SQL.format(b=b.address))
    with open(f"{WORK}/log4j.properties", "w", encoding="ascii") as f:
        f.write("rootLogger.level=WARN\nappender.f.type=File\nappender.f.name=F\nappender.f.fileName=%s/flink.log\nappender.f.layout.type=PatternLayout\n"
                "appender.f.layout.pattern=%%d %%p %%c{1} %%m%%n\nrootLogger.appenderRef.f.ref=F\n" % WORK)
    opens = [f"--add-opens=java.base/java.{p}=ALL-UNNAMED" for p in ("lang", "net", "io", "nio", "lang.reflect", "text", "time", "util", "util.concurrent")]
    done = subprocess.run(["java", "-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *opens, f"-Dlog4j.configurationFile=file:{WORK}/log4j.properties", "-cp", f"{lib}/*",
                           f"{HERE}/FlinkSql.java", f"{WORK}/job.sql"], capture_output=True, text=True, timeout=300)
    with open(f"{WORK}/out", "w", encoding="utf-8") as f:
        f.write(done.stdout + done.stderr)
    check(done.returncode == 0, f"Flink's jobs end well: {re.findall(r'.*(?:ERROR|Caused by|Exception).*', done.stdout + done.stderr)[:5]}; see {WORK}")


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
