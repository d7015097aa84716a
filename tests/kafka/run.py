#!/usr/bin/env python3
"""Supyo's Kafka source and sink against a real broker.

run.py [--rounds 30 kills of the job] [--only NAME] [--seed N] [--plant]     needs SUPYO (build/release/supyo), confluent-kafka (build/kafka-venv), a JVM, Maven
"""
import argparse
import collections
import functools
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic

from broker import ADDRESS, Broker

SUPYO = os.path.abspath(os.environ.get("SUPYO", "build/release/supyo"))
WORK = os.path.abspath("build/kafka")
EVENT = "id BIGINT, k STRING, v BIGINT, t TIMESTAMP(3)"


def check(condition, *what):
    if not condition:
        raise AssertionError(" ".join(str(w) for w in what))


@functools.cache
def admin():
    return AdminClient({"bootstrap.servers": ADDRESS, "log_level": 0})


def create(topic, partitions=1, **config):
    for f in admin().create_topics([NewTopic(topic, partitions, 1, config={k.replace("_", "."): str(v) for k, v in config.items()})]).values():
        f.result(30)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        t = admin().list_topics(timeout=10).topics.get(topic)
        if t is not None and len(t.partitions) == partitions:
            return
        time.sleep(0.05)
    raise AssertionError(f"topic {topic} did not appear")


def event(i, seconds=None):
    s = i if seconds is None else seconds
    return {"id": i, "k": f"k{i % 7}", "v": i * 3, "t": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(1767225600 + s))}


def put(topic, events, partition_of=lambda e: e["id"] % 3, key_of=lambda e: None, timestamp_of=None, **config):
    p = Producer({"bootstrap.servers": ADDRESS, "enable.idempotence": True, "linger.ms": 5, **config})
    if "transactional.id" in config:
        p.init_transactions(30)
        p.begin_transaction()
    failed = []
    for e in events:
        value = None if e is None else e if isinstance(e, bytes) else json.dumps(e).encode()
        while True:
            try:
                p.produce(topic, value, key=key_of(e), partition=partition_of(e) if isinstance(e, dict) else 0, on_delivery=lambda err, _: failed.append(err) if err else None,
                          **({"timestamp": timestamp_of(e)} if timestamp_of else {}))
                break
            except BufferError:
                p.poll(0.1)
        p.poll(0)
    if "transactional.id" not in config:
        check(p.flush(120) == 0 and not failed, "records were not delivered", failed[:1])
    return p


def read(topic, isolation="read_committed"):
    """All records of a topic up to its end: (partition, offset, key, value)."""
    c = Consumer({"bootstrap.servers": ADDRESS, "group.id": "oracle", "isolation.level": isolation, "enable.partition.eof": True, "auto.offset.reset": "earliest", "enable.auto.commit": False})
    partitions = admin().list_topics(topic, timeout=10).topics[topic].partitions
    c.assign([TopicPartition(topic, p, 0) for p in partitions])
    ended, rows = set(), []
    deadline = time.monotonic() + 60
    while len(ended) < len(partitions):
        check(time.monotonic() < deadline, "reading", topic, "did not end")
        m = c.poll(1)
        if m is None:
            continue
        if m.error():
            check(m.error().code() == KafkaError._PARTITION_EOF, m.error())
            ended.add(m.partition())
            continue
        rows.append((m.partition(), m.offset(), m.key(), m.value()))
    c.close()
    return rows


def ends(topic, isolation):
    c = Consumer({"bootstrap.servers": ADDRESS, "group.id": "oracle", "isolation.level": isolation})
    found = {p: c.get_watermark_offsets(TopicPartition(topic, p), timeout=10) for p in admin().list_topics(topic, timeout=10).topics[topic].partitions}
    c.close()
    return found


def no_open_transaction(topic):
    deadline = time.monotonic() + 20
    while ends(topic, "read_committed") != ends(topic, "read_uncommitted"):
        check(time.monotonic() < deadline, "a transaction hangs in", topic, ends(topic, "read_committed"), ends(topic, "read_uncommitted"))
        time.sleep(0.2)


def table(name, topic, columns=EVENT, fmt="json", **options):
    all_options = {"connector": "kafka", "topic": topic, "properties.bootstrap.servers": ADDRESS, "format": fmt}
    all_options.update({k.replace("__", "-").replace("_", "."): v for k, v in options.items()})
    all_options = {k: v for k, v in all_options.items() if v is not None}
    return f"CREATE TABLE {name} ({columns}) WITH ({', '.join(f'{chr(39)}{k}{chr(39)}={chr(39)}{v}{chr(39)}' for k, v in all_options.items())});\n"


def sql(text, fails=None):
    done = subprocess.run([SUPYO, "sql", "-f", "-", "--format", "json"], input=text, capture_output=True, text=True, timeout=120)
    if fails:
        check(done.returncode != 0 and fails in done.stderr, "expected", fails, "but got", done.returncode, done.stdout[-500:], done.stderr[-1000:])
        return done.stderr
    check(done.returncode == 0, text, "ended with", done.returncode, done.stderr[-2000:])
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def ids(rows):
    return sorted(r["id"] for r in rows)


EARLIEST = {"scan_startup_mode": "earliest-offset", "scan_bounded_mode": "latest-offset"}


def test_startup_and_bounded_modes(_):
    create("modes", 3, retention_ms=-1)   # the records are of 2023
    put("modes", [event(i) for i in range(300)], timestamp_of=lambda e: 1_700_000_000_000 + e["id"] * 1000)
    everything = list(range(300))
    bounded = {"scan_bounded_mode": "latest-offset"}
    select = "SELECT id FROM s;"
    check(ids(sql(table("s", "modes", **EARLIEST) + select)) == everything, "earliest")
    check(ids(sql(table("s", "modes", scan_startup_mode="latest-offset", **bounded) + select)) == [], "latest")
    at = str(1_700_000_000_000 + 200 * 1000)
    check(ids(sql(table("s", "modes", scan_startup_mode="timestamp", scan_startup_timestamp__millis=at, **bounded) + select)) == everything[200:], "from a time")
    check(ids(sql(table("s", "modes", scan_startup_mode="earliest-offset", scan_bounded_mode="timestamp", scan_bounded_timestamp__millis=at) + select)) == everything[:200], "to a time")
    offsets = {"scan_startup_mode": "specific-offsets", "scan_startup_specific__offsets": "partition:0,offset:90;partition:1,offset:95;partition:2,offset:100"}
    check(ids(sql(table("s", "modes", **offsets, **bounded) + select)) == [i for i in everything if i >= 270 and i % 3 == 0] + [i for i in everything if i >= 285 and i % 3 == 1]
          or ids(sql(table("s", "modes", **offsets, **bounded) + select)) == sorted([i for i in everything if i // 3 >= 90 and i % 3 == 0] + [i for i in everything if i // 3 >= 95 and i % 3 == 1]), "specific offsets")
    stops = {"scan_startup_mode": "earliest-offset", "scan_bounded_mode": "specific-offsets", "scan_bounded_specific__offsets": "partition:0,offset:2;partition:1,offset:3;partition:2,offset:0"}
    check(ids(sql(table("s", "modes", **stops) + select)) == [0, 1, 3, 4, 7], "to specific offsets")
    # Groups: none yet is an error, as in Flink; then the committed one.
    group = {"scan_startup_mode": "group-offsets", "properties_group_id": "readers", **bounded}
    sql(table("s", "modes", **group) + select, fails="SUPYO-6007")
    c = Consumer({"bootstrap.servers": ADDRESS, "group.id": "readers"})
    c.commit(offsets=[TopicPartition("modes", p, 60) for p in range(3)], asynchronous=False)
    c.close()
    check(ids(sql(table("s", "modes", **group) + select)) == everything[180:], "group offsets")
    check(ids(sql(table("s", "modes", scan_startup_mode="group-offsets", properties_group_id="nobody", properties_auto_offset_reset="earliest", **bounded) + select)) == everything, "reset")
    sql(table("s", "no-such-topic", **EARLIEST) + select, fails="SUPYO-2002")
    sql(table("s", "modes", properties_plugin_library_paths="/x.so", **EARLIEST) + select, fails="SUPYO-1002")


def test_topics_and_metadata(_):
    for t in ("tp-a", "tp-b", "other"):
        create(t, 2, retention_ms=-1)
        put(t, [event(i) for i in range(10)], partition_of=lambda e: e["id"] % 2, key_of=lambda e: json.dumps({"user": e["id"] % 3}).encode(), timestamp_of=lambda e: 1_700_000_000_000 + e["id"])
    select = "SELECT id, topic FROM s;"
    columns = EVENT + ", topic STRING METADATA VIRTUAL"
    rows = sql(table("s", "tp-a;tp-b", columns, **EARLIEST) + select)
    check(sorted((r["id"], r["topic"]) for r in rows) == sorted((i, t) for i in range(10) for t in ("tp-a", "tp-b")), "list", rows)
    rows = sql(table("s", None, columns, topic__pattern="tp-.", **EARLIEST) + select)
    check(sorted((r["id"], r["topic"]) for r in rows) == sorted((i, t) for i in range(10) for t in ("tp-a", "tp-b")), "pattern", rows)
    columns = ("id BIGINT, k_user BIGINT, p INT METADATA FROM 'partition' VIRTUAL, o BIGINT METADATA FROM 'offset' VIRTUAL, ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp', "
               "tt STRING METADATA FROM 'timestamp-type' VIRTUAL, le INT METADATA FROM 'leader-epoch' VIRTUAL")
    rows = sql(table("s", "tp-a", columns, key_format="json", key_fields="k_user", key_fields__prefix="k_", value_fields__include="EXCEPT_KEY", format=None, value_format="json", **EARLIEST)
               + "SELECT id, k_user, p, o, tt, le, EXTRACT(MILLISECOND FROM ts) AS ms FROM s;")
    check(sorted((r["id"], r["k_user"], r["p"], r["o"], r["tt"], r["ms"] % 1000) for r in rows) == [(i, i % 3, i % 2, i // 2, "CreateTime", i) for i in range(10)], "metadata", rows)


def test_bad_records_and_transactions(_):
    create("bad", 1)
    put("bad", [event(1), b"{oops", None, event(2)], partition_of=lambda e: 0)
    check(ids(sql(table("s", "bad", **EARLIEST) + "SELECT id FROM s;")) == [1, 2], "bad records are left out")
    # An aborted transaction, a committed one, and one that is open; the end of a bounded read lies behind markers.
    create("txn", 1)
    p = put("txn", [event(i) for i in range(5)], partition_of=lambda e: 0, **{"transactional.id": "a"})
    p.commit_transaction(30)
    p = put("txn", [event(i) for i in range(5, 9)], partition_of=lambda e: 0, **{"transactional.id": "a"})
    p.flush(30)
    p.abort_transaction(30)
    committed, uncommitted = {"properties_isolation_level": "read_committed"}, {"properties_isolation_level": "read_uncommitted"}
    check(ids(sql(table("s", "txn", **EARLIEST, **committed) + "SELECT id FROM s;")) == list(range(5)), "read_committed")
    check(ids(sql(table("s", "txn", **EARLIEST) + "SELECT id FROM s;")) == list(range(9)), "read_uncommitted is Flink's default")
    p = put("txn", [event(20)], partition_of=lambda e: 0, **{"transactional.id": "b"})
    p.flush(30)
    check(ids(sql(table("s", "txn", **EARLIEST, **committed) + "SELECT id FROM s;")) == list(range(5)), "read_committed before an open transaction")
    check(ids(sql(table("s", "txn", **EARLIEST, **uncommitted) + "SELECT id FROM s;")) == list(range(9)) + [20], "read_uncommitted")
    p.abort_transaction(30)


def write_job(name, text):
    with open(f"{WORK}/{name}.sql", "w") as f:
        f.write(text)


class Job:
    def __init__(self, name, state, *arguments):
        self.out = open(f"{WORK}/{name}.log", "a")
        self.process = subprocess.Popen([SUPYO, "run", f"{WORK}/{name}.sql", "--state", state, "--set", "execution.checkpointing.interval=100ms", *arguments],
                                        stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.out, cwd=WORK)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.out.close()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.out.close()
        return code


def until(what, condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < deadline, "still waiting for", what)
        time.sleep(0.1)


def test_retention_is_never_silent(_):
    create("gone", 1, segment_bytes=1048576)
    put("gone", [event(i) for i in range(100)], partition_of=lambda e: 0)
    job = table("s", "gone", EVENT, scan_startup_mode="earliest-offset", **{}) + table("o", "gone-out") + "INSERT INTO o SELECT * FROM s;"
    create("gone-out", 1)
    write_job("gone", job)
    state = f"{WORK}/gone-state"
    j = Job("gone", state)
    until("the first hundred", lambda: len(read("gone-out")) == 100)
    check(j.end() == 0, "stopped")
    put("gone", [event(i) for i in range(100, 300)], partition_of=lambda e: 0)
    for f in admin().delete_records([TopicPartition("gone", 0, 250)]).values():
        f.result(30)
    j = Job("gone", state)
    check(j.process.wait(60) == 1, "the job must end with an error")
    with open(f"{WORK}/gone.log") as f:
        text = f.read()
    check("SUPYO-6007" in text and "deleted 150 offsets" in text, text[-1500:])
    # With a declared policy it goes on, and the loss is a row of `T$dead`.
    write_job("gone", job.replace("'scan.startup.mode'", "'properties.auto.offset.reset'='earliest','scan.startup.mode'"))
    shutil.rmtree(state)
    write_job("gone", job.replace("'scan.startup.mode'='earliest-offset'", "'properties.auto.offset.reset'='earliest','scan.startup.mode'='specific-offsets','scan.startup.specific-offsets'='partition:0,offset:100'"))
    j = Job("gone", state)
    until("the rest", lambda: len(read("gone-out")) == 150)
    check(j.end() == 0, "stopped")
    with open(f"{WORK}/gone.log") as f:
        check("lost offsets 100 to 249 (150)" in f.read(), "the loss is said")
    dead = subprocess.run([SUPYO, "sql", "--state", state, "-e", "SELECT reason FROM `s$dead`", "--format", "json"], capture_output=True, text=True, timeout=60)
    check("LOST: 150 offsets" in dead.stdout, "the loss is recorded", dead.stdout, dead.stderr)


def test_at_least_once_and_group(_):
    create("alo", 2)
    create("alo-out", 2)
    put("alo", [event(i) for i in range(5000)], partition_of=lambda e: e["id"] % 2)
    write_job("alo", table("s", "alo", scan_startup_mode="earliest-offset", properties_group_id="watched") + table("o", "alo-out", sink_delivery__guarantee="at-least-once", key_fields="k")
              + "INSERT INTO o SELECT * FROM s;")
    j = Job("alo", f"{WORK}/alo-state")
    until("all", lambda: {json.loads(r[3])["id"] for r in read("alo-out")} == set(range(5000)))
    until("the group's offsets", lambda: [t.offset for t in Consumer({"bootstrap.servers": ADDRESS, "group.id": "watched"}).committed([TopicPartition("alo", p) for p in (0, 1)], timeout=10)] == [2500, 2500])
    check(j.end() == 0, "stopped")
    where = collections.defaultdict(set)
    for partition, _, key, _ in read("alo-out"):
        where[key].add(partition)
    check(len(where) == 7 and all(len(p) == 1 for p in where.values()), "equal keys share a partition")


def test_new_partitions(_):
    create("grow", 1)
    create("grow-out", 1)
    put("grow", [event(i) for i in range(10)], partition_of=lambda e: 0)
    write_job("grow", table("s", "grow", scan_startup_mode="latest-offset", scan_topic__partition__discovery_interval="1s") + table("o", "grow-out") + "INSERT INTO o SELECT * FROM s;")
    j = Job("grow", f"{WORK}/grow-state")
    time.sleep(2)
    put("grow", [event(i) for i in range(10, 20)], partition_of=lambda e: 0)
    until("the second ten", lambda: len(read("grow-out")) == 10)
    for f in admin().create_partitions([NewPartitions("grow", 3)]).values():
        f.result(30)
    until("partitions", lambda: len(admin().list_topics("grow", timeout=10).topics["grow"].partitions) == 3)
    put("grow", [event(i) for i in range(20, 40)], partition_of=lambda e: e["id"] % 3)
    until("the new partitions' rows", lambda: ids(json.loads(r[3]) for r in read("grow-out")) == list(range(10, 40)))
    check(j.end() == 0, "stopped")


def test_upsert(_):
    create("up", 2)
    create("up-out", 2)
    write_job("up", table("s", "up", scan_startup_mode="earliest-offset")
              + table("o", "up-out", "k STRING, n BIGINT, total BIGINT, PRIMARY KEY (k) NOT ENFORCED", connector="upsert-kafka", format=None, key_format="json", value_format="json")
              + "INSERT INTO o SELECT k, COUNT(*), SUM(v) FROM s GROUP BY k;")
    j = Job("up", f"{WORK}/up-state")
    for part in range(4):
        put("up", [event(i) for i in range(part * 500, part * 500 + 500)], partition_of=lambda e: e["id"] % 2)
        time.sleep(0.3)
    want = {f"k{k}": (len(range(k, 2000, 7)), 3 * sum(range(k, 2000, 7))) for k in range(7)}

    def last():
        found = {}
        for _, _, key, value in read("up-out"):
            r = json.loads(value)
            check(json.loads(key) == {"k": r["k"]}, "the key is the primary key", key)
            found[r["k"]] = (r["n"], r["total"])
        return found
    until("the last counts", lambda: last() == want)
    check(j.end() == 0, "stopped")


def test_upsert_source(_):
    """A topic in which the last record of a key wins: counted, and taken back when the key is deleted."""
    create("users", 2)
    create("regions", 1)
    write_job("upsert-source", table("s", "users", "id BIGINT, region STRING, PRIMARY KEY (id) NOT ENFORCED", connector="upsert-kafka", format=None, key_format="json", value_format="json")
              + table("o", "regions", "region STRING, n BIGINT, PRIMARY KEY (region) NOT ENFORCED", connector="upsert-kafka", format=None, key_format="json", value_format="json")
              + "INSERT INTO o SELECT region, COUNT(*) FROM s GROUP BY region;")
    j = Job("upsert-source", f"{WORK}/upsert-source-state")
    p = Producer({"bootstrap.servers": ADDRESS, "log_level": 0})
    truth = {}
    chance = random.Random(7)
    for step in range(6):
        for _ in range(300):
            user = chance.randrange(60)
            key = json.dumps({"id": user}).encode()
            if chance.random() < 0.2:
                truth.pop(user, None)
                p.produce("users", None, key, partition=user % 2)
            else:
                truth[user] = f"r{chance.randrange(5)}"
                p.produce("users", json.dumps({"id": user, "region": truth[user]}).encode(), key, partition=user % 2)
        p.flush(30)
        if step in (2, 4):
            j.kill()
            j = Job("upsert-source", f"{WORK}/upsert-source-state")
        time.sleep(0.3)
    want = {r: n for r, n in collections.Counter(truth.values()).items()}

    def last():
        found = {}
        for _, _, key, value in read("regions"):
            region = json.loads(key)["region"]
            if value is None:
                found.pop(region, None)
            else:
                found[region] = json.loads(value)["n"]
        return found
    until("the last counts", lambda: last() == want)
    check(j.end() == 0, "stopped")


class Feeder(threading.Thread):
    """Sends events all the time, so that a kill meets the job in the middle of an epoch."""

    def __init__(self, topic, per_second):
        super().__init__(daemon=True)
        self.topic, self.per_second, self.sent, self.failed, self.ending = topic, per_second, 0, [], threading.Event()
        self.producer = Producer({"bootstrap.servers": ADDRESS, "enable.idempotence": True, "linger.ms": 1, "log_level": 0})
        self.start()

    def run(self):
        while not self.ending.wait(0.005):
            for _ in range(self.per_second // 200):
                e = event(self.sent, self.sent // 50)
                self.producer.produce(self.topic, json.dumps(e).encode(), partition=e["id"] % 3, on_delivery=lambda err, _: self.failed.append(err) if err else None)
                self.sent += 1
            self.producer.poll(0)

    def end(self):
        self.ending.set()
        self.join()
        check(self.producer.flush(120) == 0 and not self.failed, "records were not delivered", self.failed[:1])
        return self.sent


def exactly_once_job(inputs, rows_topic, counts_topic, guarantee):
    columns = EVENT + ", WATERMARK FOR t AS t - INTERVAL '5' SECOND"
    return (table("s", inputs, columns, scan_startup_mode="earliest-offset", properties_isolation_level="read_committed") + table("r", rows_topic, key_fields="k", sink_delivery__guarantee=guarantee)
            + table("c", counts_topic, "k STRING, w TIMESTAMP(3), n BIGINT, total BIGINT", key_fields="k", sink_delivery__guarantee=guarantee)
            + "EXECUTE STATEMENT SET BEGIN\nINSERT INTO r SELECT id, k, v, t FROM s;\n"
            "INSERT INTO c SELECT k, window_start, COUNT(*), SUM(v) FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(t), INTERVAL '10' SECOND)) GROUP BY k, window_start, window_end;\nEND;\n")


def test_exactly_once(args):
    rng = random.Random(args.seed)
    broker = args.broker
    for t in ("eo-in", "eo-rows", "eo-counts"):
        create(t, 3)
    write_job("eo", exactly_once_job("eo-in", "eo-rows", "eo-counts", "at-least-once" if args.plant else "exactly-once"))
    state = f"{WORK}/eo-state"
    kills = broker_kills = 0
    feeder = Feeder("eo-in", 2000)
    n = -1
    while kills < args.rounds:
        n += 1
        job = Job("eo", state, "--set", f"parallelism.default={1 + n % 2}")
        kill_broker = n % 10 == 4
        time.sleep(rng.uniform(0.05, 2))
        if kill_broker:
            broker.kill()
            broker_kills += 1
            if rng.random() < 0.5:
                time.sleep(rng.uniform(0, 0.5))
                job.kill()
            broker.start()
            time.sleep(rng.uniform(0.5, 3))
        if job.process.poll() is None:
            job.kill()
            kills += 1
        elif not kill_broker:
            raise AssertionError(f"the job ended by itself; see {WORK}/eo.log")
        if n % 10 == 9:
            print(f"  round {n + 1}: {feeder.sent} records, {kills} kills of the job, {broker_kills} of the broker", flush=True)
    sent = feeder.end()
    # One event far ahead in each partition fires every window.
    far = sent // 50 + 1000
    put("eo-in", [{**event(3 * 10**9 + p, far), "k": "end"} for p in range(3)], partition_of=lambda e: e["id"] % 3)
    job = Job("eo", state)
    want_rows = sorted(list(range(sent)) + [3 * 10**9 + p for p in range(3)])
    want = collections.Counter()
    for i in range(sent):
        e = event(i, i // 50)
        want[(e["k"], i // 500 * 10)] += 1
    totals = collections.Counter()
    for i in range(sent):
        totals[(f"k{i % 7}", i // 500 * 10)] += i * 3

    def counts():
        return [json.loads(v) for _, _, _, v in read("eo-counts")]
    until("all windows", lambda: len(counts()) >= len(want), 120)
    until("all rows", lambda: len(read("eo-rows")) >= len(want_rows), 60)
    check(job.end() == 0, "the job stops")
    check(sorted(json.loads(v)["id"] for _, _, _, v in read("eo-rows")) == want_rows, "rows differ from the oracle:", len(read("eo-rows")), "instead of", len(want_rows))
    got = [(r["k"], r["w"][:19], r["n"], r["total"]) for r in counts()]
    oracle = [(k, time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(1767225600 + w)), n, totals[(k, w)]) for (k, w), n in want.items()]
    check(sorted(got) == sorted(oracle), "windows differ from the oracle:", len(got), "instead of", len(oracle), sorted(set(got) ^ set(oracle))[:5])
    for t in ("eo-rows", "eo-counts"):
        no_open_transaction(t)
    print(f"  {kills} kills of the job, {broker_kills} of the broker, {sent} records, {len(oracle)} windows: equal to the oracle; no transaction open")


def test_cluster_findings(args):
    """What has no group to tell of it: a topic of an application that is gone, a compacted topic whose cleaner gave up (a broken segment), a disk that fills."""
    create("gone-app-orders-store-changelog", cleanup_policy="compact")
    create("here-app-orders-store-changelog", cleanup_policy="compact")
    create("stuck", cleanup_policy="compact", segment_bytes=1 << 20, min_compaction_lag_ms=3600000)
    create("filling")
    one = [{**event(i), "pad": "x" * 1000} for i in range(1000)]
    put("gone-app-orders-store-changelog", one[:10], partition_of=lambda e: 0, key_of=lambda e: e["k"])
    put("here-app-orders-store-changelog", one[:10], partition_of=lambda e: 0, key_of=lambda e: e["k"])
    live = Consumer({"bootstrap.servers": ADDRESS, "group.id": "here-app", "auto.offset.reset": "earliest"})
    live.subscribe(["filling"])
    for _ in range(4):
        put("stuck", one, partition_of=lambda e: 0, key_of=lambda e: e["k"])
    segment = os.path.join(args.broker.dir, "data", "stuck-0", "0" * 20 + ".log")
    with open(segment, "r+b") as f:
        f.seek(8)
        f.write(bytes(4))   # the first batch's length: the cleaner cannot read on
    change = ConfigResource(ConfigResource.Type.TOPIC, "stuck", incremental_configs=[ConfigEntry("min.compaction.lag.ms", "0", incremental_operation=AlterConfigOpType.SET)])
    for f in admin().incremental_alter_configs([change]).values():
        f.result(30)
    ended = threading.Event()
    written = []

    def fill():
        while not ended.is_set():
            put("filling", one, partition_of=lambda e: 0)
            written.append(time.monotonic())
            live.poll(0)
            time.sleep(0.1)

    filler = threading.Thread(target=fill, daemon=True)
    filler.start()
    try:
        log = args.broker.dir + "/out.log"
        until("the cleaner gives up", lambda: "as uncleanable" in pathlib.Path(log).read_text(errors="replace"), 120)
        before, begin = disk(args.broker.dir), time.monotonic()
        seen = subprocess.run([SUPYO, "diagnose", "--bootstrap", ADDRESS, "--broker-log", log, "--for", "60s", "--every", "3s", "--json"], capture_output=True, text=True, timeout=120, check=False)
        grew, took = disk(args.broker.dir) - before, time.monotonic() - begin
    finally:
        ended.set()
        filler.join(30)
        live.close()
    check(seen.returncode == 3, "exit status", seen.returncode, seen.stderr[-500:])
    found = {(f["cause"], f["subject"]): f for f in json.loads(seen.stdout)["cluster"]}
    check(("orphan-internal-topic", "topic gone-app-orders-store-changelog") in found, "the orphan is not named:", list(found))
    check(("orphan-internal-topic", "topic here-app-orders-store-changelog") not in found, "an application that runs is called gone")
    check(("stuck-compaction", "topic stuck") in found, "the cleaner gave up, and nothing says so:", list(found))
    full = [f for (cause, _), f in found.items() if cause == "disk-forecast"]
    free = shutil.disk_usage(args.broker.dir).free
    if free / (grew / took) > 2 * 7 * 86400:   # who has that much room is told nothing
        check(not full, "a forecast beyond seven days:", full)
        return
    check(len(full) == 1, "no forecast of the disk:", list(found))
    numbers = {n["name"]: n["value"] for n in full[0]["numbers"]}
    print(f"  disk: {numbers['usable'] / 1e9:.2f} GB are left ({free / 1e9:.2f} by the file system), it grows by {numbers['grows'] / 1e6:.2f} MB/s ({grew / took / 1e6:.2f} by the files), full in {numbers['full in'] / 3600:.2f} h", flush=True)
    check(abs(numbers["usable"] - free) < 0.2 * free, "free:", numbers["usable"], free)
    check(0.5 < numbers["grows"] / (grew / took) < 2, "growth:", numbers["grows"], grew / took)
    check(abs(numbers["full in"] * numbers["grows"] / numbers["usable"] - 1) < 0.01, "full in", numbers)


def disk(directory):
    """Bytes of all log segments."""
    return sum(f.stat().st_size for f in pathlib.Path(directory, "data").rglob("*.log"))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--rounds", type=int, default=30)
    p.add_argument("--only", default="")
    p.add_argument("--plant", action="store_true", help="run exactly_once with a sink that is not: it must fail")
    p.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    args = p.parse_args()
    print(f"seed {args.seed}")
    args.broker = Broker(f"{WORK}-broker")   # waits until it is the only one on the machine
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    failed = 0
    try:
        args.broker.start()
        for name, test in list(globals().items()):
            if not name.startswith("test_") or ("exactly_once" if args.plant else args.only) not in name:
                continue
            begin = time.monotonic()
            try:
                test(args)
                print(f"ok {name[5:]} ({time.monotonic() - begin:.1f} s)", flush=True)
            except Exception as e:
                failed += 1
                print(f"FAILED {name[5:]}: {e}", flush=True)
                if not isinstance(e, AssertionError):
                    traceback.print_exc()
    finally:
        args.broker.stop()
    if args.plant:
        print("the planted fault was found" if failed else "FAILED: the planted fault was NOT found")
    sys.exit(1 if bool(failed) != args.plant else 0)


if __name__ == "__main__":
    main()
