"""Real clients against `supyo broker`: librdkafka's producer, consumers, transactions and admin client. Usage: clients.py [only this part]"""
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import time

import confluent_kafka as ck
from confluent_kafka import admin

sys.path.insert(0, os.path.dirname(__file__))
from broker import SUPYO, Broker, check  # noqa: E402

DATA = "build/e2e/broker"


def deadline(seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
    raise AssertionError(f"nothing happened in {seconds} s")


def producer(b, **config):
    return ck.Producer({"bootstrap.servers": b.address, "linger.ms": 2, "logger": None, **{k.replace("_", "."): v for k, v in config.items()}})


def consumer(b, group="g", **config):
    return ck.Consumer({"bootstrap.servers": b.address, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False, "session.timeout.ms": 6000,
                        **{k.replace("_", "."): v for k, v in config.items()}})


def admin_client(b):
    return admin.AdminClient({"bootstrap.servers": b.address})


def create(b, name, partitions=1, **config):
    a = admin_client(b)   # must outlive its futures
    futures = a.create_topics([admin.NewTopic(name, partitions, 1, config={k.replace("_", "."): str(v) for k, v in config.items()})])
    futures[name].result(10)


def code_of(future):
    try:
        future.result(10)
        return None
    except ck.KafkaException as e:
        return e.args[0].code()


def send(b, topic, values, partition=0, **config):
    acked = []
    p = producer(b, **config)
    for v in values:
        p.produce(topic, v, partition=partition, on_delivery=lambda e, m: acked.append((e, m)))
        p.poll(0)
    p.flush(30)
    for e, _ in acked:
        check(e is None, f"delivery: {e}")
    return [m.offset() for _, m in acked]


def read(b, topic, count, partition=0, offset=0, **config):
    """The values of `count` records from an offset."""
    c = consumer(b, group="reader", **config)
    c.assign([ck.TopicPartition(topic, partition, offset)])
    messages = []
    for _ in deadline():
        if len(messages) >= count:
            break
        for m in c.consume(min(count - len(messages), 10000), 0.2):
            check(m.error() is None, f"consume: {m.error()}")
            messages.append(m)
    c.close()
    return messages


def ends(b, topic, partition=0, isolation="read_uncommitted"):
    c = consumer(b, isolation_level=isolation)
    low, high = c.get_watermark_offsets(ck.TopicPartition(topic, partition), 10)
    c.close()
    return low, high


def part_data(b):
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        create(b, f"data-{codec}")
        values = [f"{i}-{'x' * (i % 50)}".encode() for i in range(500)]
        offsets = send(b, f"data-{codec}", values, compression_type=codec, enable_idempotence=codec != "gzip")
        check(offsets == list(range(500)), f"offsets of {codec}")
        check([m.value() for m in read(b, f"data-{codec}", 500)] == values, f"values of {codec}")
    p = producer(b)
    for i in range(10):
        p.produce("data-none", b"v", b"k%d" % i, 0, timestamp=1_700_000_000_000 + i * 1000, headers=[("h", b"1"), ("h", None)])
    p.produce("data-none", None, b"tombstone", 0, timestamp=1_700_000_000_000)
    p.flush(10)
    m = read(b, "data-none", 11, offset=500)
    check(m[3].key() == b"k3" and m[3].headers() == [("h", b"1"), ("h", None)] and m[3].timestamp()[1] == 1_700_000_003_000, "key, headers, timestamp")
    check(m[10].value() is None, "a tombstone")
    c = consumer(b)
    create(b, "times")
    for i in range(5):
        p.produce("times", b"v", partition=0, timestamp=1_700_000_000_000 + i * 1000)
        p.flush(10)
    found = c.offsets_for_times([ck.TopicPartition("times", 0, 1_700_000_002_500)], 10)
    check(found[0].offset == 3, f"offset by time: {found}")
    c.close()
    a = admin_client(b)
    latest = a.list_offsets({ck.TopicPartition("times", 0): admin.OffsetSpec.max_timestamp()})
    check([f.result(10).offset for f in latest.values()] == [4], "offset of the largest timestamp")
    # A record that is produced while a fetch waits arrives at once, not when the wait is over.
    c = consumer(b, group="waits", fetch_wait_max_ms=20000)
    c.assign([ck.TopicPartition("times", 0, 5)])
    check(c.poll(0.5) is None, "nothing to read yet")
    begin = time.monotonic()
    send(b, "times", [b"now"])
    m = c.poll(15)
    check(m is not None and m.value() == b"now" and time.monotonic() - begin < 10, "a waiting fetch is woken")
    c.close()
    check(code_of_produce(b, "made-by-use") is None and ends(b, "made-by-use") == (0, 1), "a topic is made when a producer first writes to it, as Kafka does")
    check(code_of_produce(b, "__mine") is not None, "but none of the broker's own names")
    c = consumer(b, auto_offset_reset="error")
    c.subscribe(["never-made"])
    m = c.poll(10)
    check(m is not None and m.error() is not None and m.error().code() == ck.KafkaError.UNKNOWN_TOPIC_OR_PART, "a consumer that does not ask for it makes none")
    c.close()


def code_of_produce(b, topic):
    codes = []
    p = producer(b, message_timeout_ms=5000, topic_metadata_propagation_max_ms=100)
    p.produce(topic, b"v", on_delivery=lambda e, _: codes.append(e.code() if e else None))
    p.flush(10)
    return codes[0]


def part_admin(b):
    a = admin_client(b)
    create(b, "adm", 2, retention_ms=3600000)
    check(code_of(a.create_topics([admin.NewTopic("adm", 1, 1)])["adm"]) == ck.KafkaError.TOPIC_ALREADY_EXISTS, "created twice")
    check(code_of(a.create_topics([admin.NewTopic("bad/name", 1, 1)])["bad/name"]) == ck.KafkaError.TOPIC_EXCEPTION, "a bad name")
    check(code_of(a.create_topics([admin.NewTopic("rf3", 1, 3)])["rf3"]) == ck.KafkaError.INVALID_REPLICATION_FACTOR, "three replicas")
    check(code_of(a.create_topics([admin.NewTopic("cfg", 1, 1, config={"no.such": "1"})])["cfg"]) == ck.KafkaError.INVALID_CONFIG, "an unknown setting")
    resource = admin.ConfigResource("topic", "adm")
    config = a.describe_configs([resource])[resource].result(10)
    check(config["retention.ms"].value == "3600000" and not config["retention.ms"].is_default, "retention.ms as created")
    check(config["retention.bytes"].value == "-1" and config["retention.bytes"].is_default, "retention.bytes by default")
    resource = admin.ConfigResource("topic", "adm", incremental_configs=[admin.ConfigEntry("max.message.bytes", "2000", incremental_operation=admin.AlterConfigOpType.SET)])
    a.incremental_alter_configs([resource])[resource].result(10)
    check(send_code(b, "adm", b"x" * 5000) == ck.KafkaError.MSG_SIZE_TOO_LARGE, "max.message.bytes takes effect")
    resource = admin.ConfigResource("topic", "adm", set_config={"retention.bytes": "1000000"})
    a.alter_configs([resource])[resource].result(10)
    config = a.describe_configs([resource])[resource].result(10)
    check(config["retention.bytes"].value == "1000000" and config["retention.ms"].is_default and config["max.message.bytes"].is_default, "the old alter replaces the whole set")
    a.create_partitions([admin.NewPartitions("adm", 5)])["adm"].result(10)
    check(len(a.list_topics("adm", 10).topics["adm"].partitions) == 5, "grown to 5")
    send(b, "adm", [b"last"], partition=4)
    send(b, "adm", [b"%d" % i for i in range(100)])
    deleted = a.delete_records([ck.TopicPartition("adm", 0, 60)])
    check([f.result(10).low_watermark for f in deleted.values()] == [60], "records deleted")
    check(ends(b, "adm") == (60, 100), "low and high watermark after that")
    c = consumer(b, group="overtaken", auto_offset_reset="error")
    c.assign([ck.TopicPartition("adm", 0, 10)])
    m = c.poll(10)
    check(m is not None and m.error() is not None and m.error().code() == ck.KafkaError._AUTO_OFFSET_RESET, "reading what was deleted is an error")
    c.close()
    cluster = a.describe_cluster().result(10)
    check(len(cluster.nodes) == 1 and cluster.cluster_id, "the cluster")
    a.delete_topics(["adm"])["adm"].result(10)
    check("adm" not in a.list_topics(timeout=10).topics, "deleted")
    create(b, "adm")
    check(ends(b, "adm") == (0, 0), "made again, empty")


def send_code(b, topic, value):
    codes = []
    p = producer(b)
    p.produce(topic, value, partition=0, on_delivery=lambda e, _: codes.append(e.code() if e else None))
    p.flush(20)
    return codes[0]


def part_transactions(b):
    create(b, "tx", 2)
    create(b, "in")
    send(b, "in", [b"%d" % i for i in range(10)])
    p = producer(b, transactional_id="t1")
    p.init_transactions(20)
    p.begin_transaction()
    for i in range(3):
        p.produce("tx", b"c%d" % i, partition=i % 2)
    p.commit_transaction(20)
    p.begin_transaction()
    p.produce("tx", b"aborted", partition=0)
    p.flush(10)
    p.abort_transaction(20)
    p.begin_transaction()
    p.produce("tx", b"c3", partition=0)
    p.flush(10)
    low, high = ends(b, "tx")
    check(ends(b, "tx", isolation="read_committed")[1] < high, "an open transaction holds the last stable offset")
    c = consumer(b, group="copy", isolation_level="read_committed")
    c.subscribe(["in"])
    taken = []
    for _ in deadline():
        taken += c.consume(10 - len(taken), 0.2)
        if len(taken) == 10:
            break
    p.send_offsets_to_transaction([ck.TopicPartition("in", 0, 7)], c.consumer_group_metadata(), 20)
    p.commit_transaction(20)
    check(c.committed([ck.TopicPartition("in", 0)], 10)[0].offset == 7, "offsets came with the commit")
    c.close()
    values = [m.value() for m in read(b, "tx", 3, isolation_level="read_committed")]
    check(values == [b"c0", b"c2", b"c3"], f"read_committed: {values}")
    values = [m.value() for m in read(b, "tx", 4, isolation_level="read_uncommitted")]
    check(values == [b"c0", b"c2", b"aborted", b"c3"], f"read_uncommitted: {values}")
    # The second producer of an id fences the first, and its open transaction is aborted.
    p.begin_transaction()
    p.produce("tx", b"zombie", partition=0)
    p.flush(10)
    q = producer(b, transactional_id="t1")
    q.init_transactions(20)
    q.begin_transaction()
    q.produce("tx", b"c4", partition=0)
    q.commit_transaction(20)
    try:
        p.commit_transaction(10)
        check(False, "a fenced producer commits")
    except ck.KafkaException as e:
        check(e.args[0].code() == ck.KafkaError._FENCED or e.args[0].fatal(), f"fenced: {e}")
    values = [m.value() for m in read(b, "tx", 4, isolation_level="read_committed")]
    check(values == [b"c0", b"c2", b"c3", b"c4"], f"after fencing: {values}")
    # One that takes too long is aborted by the broker.
    r = producer(b, transactional_id="slow", transaction_timeout_ms=1000)
    r.init_transactions(20)
    r.begin_transaction()
    r.produce("tx", b"too slow", partition=1)
    r.flush(10)
    for _ in deadline():
        if ends(b, "tx", 1)[1] == ends(b, "tx", 1, "read_committed")[1]:
            break
        time.sleep(0.05)


def join(b, n, group, topic, strategy, **config):
    members = [consumer(b, group=group, partition_assignment_strategy=strategy, heartbeat_interval_ms=200, **config) for _ in range(n)]
    for m in members:
        m.subscribe([topic])
    return members


def until_shared(members, partitions):
    """Polls until the members own all partitions, each about its share."""
    for _ in deadline():
        for m in members:
            m.poll(0.05)
        owned = [len(m.assignment()) for m in members]
        if sum(owned) == partitions and max(owned) - min(owned) <= 1:
            return
    raise AssertionError("no balance")


def part_groups(b):
    a = admin_client(b)
    create(b, "grp", 6)
    for strategy in ("range", "roundrobin", "cooperative-sticky"):
        group = f"grp-{strategy}"
        members = join(b, 2, group, "grp", strategy)
        until_shared(members, 6)
        members += join(b, 1, group, "grp", strategy)
        until_shared(members, 6)
        described = a.describe_consumer_groups([group])[group].result(10)
        check(described.state == ck.ConsumerGroupState.STABLE and len(described.members) == 3 and described.partition_assignor == strategy, f"{group}: {described.state}")
        members.pop().close()
        until_shared(members, 6)
        members[0].commit(offsets=[ck.TopicPartition("grp", 2, 5, metadata="note")], asynchronous=False)
        check(members[1].committed([ck.TopicPartition("grp", 2)], 10)[0].offset == 5, "committed offset")
        check(code_of(a.delete_consumer_groups([group])[group]) == ck.KafkaError.NON_EMPTY_GROUP, "a group in use is not deleted")
        for m in members:
            m.close()
        listed = a.list_consumer_groups().result(10).valid
        check(any(g.group_id == group for g in listed), "listed")
        check(code_of(a.delete_consumer_groups([group])[group]) is None, "an unused group is deleted")
    # A member that stops calling is out after its session; the rest takes over.
    members = join(b, 2, "dies", "grp", "range", session_timeout_ms=600)
    until_shared(members, 6)
    lost = subprocess.Popen([sys.executable, __file__, "--member", b.address, "dies", "grp"])
    until_shared_by(members, lambda owned: owned == 4)
    lost.kill()
    lost.wait()
    until_shared(members, 6)
    for m in members:
        m.close()
    # A static member that comes back keeps its partitions without a rebalance.
    stay = join(b, 1, "static", "grp", "range", group_instance_id="a")
    other = join(b, 1, "static", "grp", "range", group_instance_id="b")
    until_shared(stay + other, 6)
    before = sorted(t.partition for t in other[0].assignment())
    other[0].close()
    other = join(b, 1, "static", "grp", "range", group_instance_id="b")
    until_shared(stay + other, 6)
    check(sorted(t.partition for t in other[0].assignment()) == before, "the same partitions after a restart")
    for m in stay + other:
        m.close()


def until_shared_by(members, condition):
    for _ in deadline():
        for m in members:
            m.poll(0.05)
        if condition(sum(len(m.assignment()) for m in members)):
            return


def member(address, group, topic):
    class At:
        pass
    At.address = address
    c = join(At, 1, group, topic, "range", session_timeout_ms=600)[0]
    while True:
        c.poll(0.05)


def part_hostile(b):
    host, port = b.address.split(":")
    rng = random.Random(7)
    for round_number in range(200):
        s = socket.create_connection((host, int(port)))
        body = bytes(rng.getrandbits(8) for _ in range(rng.randrange(0, 200)))
        if round_number % 3 == 0:   # a good head, then anything
            api = rng.choice([0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 24, 25, 26, 28, 32, 33, 42, 44, 60])
            body = struct.pack(">hhih", api, rng.randrange(0, 13), 1, -1) + body
        length = len(body) if round_number % 2 else rng.choice([len(body), 0x7FFFFFFF, -1 & 0xFFFFFFFF, 0, 4])
        s.sendall(struct.pack(">I", length) + body)
        s.close()
    s = socket.create_connection((host, int(port)))
    s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    s.settimeout(10)
    check(s.recv(10) == b"", "somebody else's protocol: closed")
    check(b.process.poll() is None, "the broker lives")
    create(b, "after-all")


def part_tools(b):
    """What the broker wrote is an embedded log like any other; kcat works."""
    create(b, "tools", 2)
    kcat = ["kcat", "-b", b.address, "-q"]
    subprocess.run([*kcat, "-P", "-t", "tools", "-p", "1", "-X", "acks=all"], input="a\nb\nc\n", text=True, check=True, timeout=30)
    out = subprocess.run([*kcat, "-C", "-t", "tools", "-p", "1", "-e", "-f", "%o:%s "], text=True, check=True, timeout=30, capture_output=True).stdout
    check(out == "0:a 1:b 2:c ", f"kcat reads {out!r}")
    out = subprocess.run([*kcat, "-Q", "-t", "tools:1:-1"], text=True, check=True, timeout=30, capture_output=True).stdout
    check("tools [1] offset 3" in out, f"kcat -Q: {out}")
    out = subprocess.run([*kcat, "-L"], text=True, check=True, timeout=30, capture_output=True).stdout
    check('topic "tools" with 2 partitions' in out, "kcat -L")
    out = subprocess.run([SUPYO, "log", "cat", b.data + "/tools"], text=True, timeout=30, capture_output=True)
    check(out.returncode == 0 and "b" in out.stdout, f"supyo log cat: {out.stdout} {out.stderr}")


def part_restart(b):
    create(b, "again")
    send(b, "again", [b"1", b"2"], enable_idempotence=True)
    c = consumer(b, group="again")
    c.commit(offsets=[ck.TopicPartition("again", 0, 1)], asynchronous=False)
    c.close()
    check(b.stop() == 0, "a clean stop")
    second = subprocess.run([SUPYO, "broker", "--data", b.data, "--listen", "192.0.2.1:0"], capture_output=True, text=True)
    check(second.returncode == 1 and "SUPYO-1009" in second.stderr, "only loopback")
    b.start()
    second = subprocess.run([SUPYO, "broker", "--data", b.data, "--listen", "127.0.0.1:0"], capture_output=True, text=True)
    check(second.returncode == 1 and "SUPYO-3003" in second.stderr, f"one broker a directory: {second.stderr}")
    second = subprocess.run([SUPYO, "broker", "--data", b.data + "-other", "--listen", b.address], capture_output=True, text=True)
    check(second.returncode == 1 and "SUPYO-1007" in second.stderr, f"the port is taken: {second.stderr}")
    check([m.value() for m in read(b, "again", 2)] == [b"1", b"2"], "records are there after a restart")
    c = consumer(b, group="again")
    check(c.committed([ck.TopicPartition("again", 0)], 10)[0].offset == 1, "offsets too")
    c.close()


PARTS = [part_data, part_admin, part_transactions, part_groups, part_hostile, part_tools, part_restart]


def main():
    if sys.argv[1:2] == ["--member"]:
        return member(*sys.argv[2:5])
    shutil.rmtree(DATA, ignore_errors=True)
    with Broker(DATA) as b:
        for part in PARTS:
            if sys.argv[1:] and part.__name__ not in sys.argv[1:]:
                continue
            begin = time.monotonic()
            part(b)
            print(f"{part.__name__}: fine ({time.monotonic() - begin:.1f} s)", flush=True)
        check(b.stop() == 0, "a clean stop at the end")


if __name__ == "__main__":
    main()
