"""The lag monitors that people use, beside `supyo watch` on one real broker: Burrow 1.2.1, klag-exporter 0.1.22 and Kafka's own ConsumerGroupCommand over the same groups at the same time.

Run: build/venv/bin/python tests/watch/monitors.py [--kafka 3.9.2 | 4.1.1]      (make test-real). Needs SUPYO (build/release/supyo), a JVM, Maven and cargo; scripts/fetch_monitors.sh fetches.
Each group is kept in one state by commits that go on in the same way, so what a monitor says of it does not depend on when it is asked. Burrow speaks with no broker newer than 3.9.
"""
import argparse
import collections
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/kafka"))
from broker import ADDRESS, PORT, Broker, fetch_jars, java  # noqa: E402

SUPYO = os.path.abspath(os.environ.get("SUPYO", os.path.join(ROOT, "build/release/supyo")))
WORK = os.path.join(ROOT, "build/monitors")
ZOOKEEPER, BURROW, KLAG = PORT + 10, PORT + 11, PORT + 12
RATE = 50            # records a second on the topic that goes on
WARM_S = 170         # ten commits of the group that commits every 12 s, and ten ends of the log, one every 10 s
SEEN_S = 45          # in which every word of both is taken
# What Burrow says of each group, and why; where `watch` cannot say the same, what it says, and why.
BURROW_SAYS = {
    "healthy": ({"OK"}, None),
    "slow-often": ({"OK"}, None),
    "slow-rarely": ({"WARN"}, None),
    "stalled": ({"STALL"}, ({"STOP"}, "commits of the same offset cannot be seen by asking for offsets; for Burrow's group status both are ERR")),
    "stopped": ({"STOP"}, None),
    "rewinding": ({"REWIND"}, None),
    "once": ({"STOP"}, None),
    "lost-by-size": ({"STOP"}, None),
    "lost-by-delete": ({"STOP"}, None),
}
OURS = {"OK": "OK", "WARNING": "WARN", "STOP": "STOP", "STALL": "STALL", "REWIND": "REWIND"}   # our word: Burrow's in its answers


class Groups:
    """Producers and groups, each in its state until stop()."""

    def __init__(self, admin):
        self.admin, self.over, self.errors, self.threads = admin, threading.Event(), [], []
        self.producer = Producer({"bootstrap.servers": ADDRESS, "linger.ms": 5})
        for f in admin.create_topics([NewTopic("orders", 1, 1), NewTopic("audit", 1, 1),
                                      NewTopic("clicks", 1, 1, config={"segment.bytes": "1048576", "retention.bytes": "2097152"})]).values():
            f.result(30)
        until("the first commit", 120, lambda: self.commit("somebody", "orders", 0) or True)   # Burrow ends when nobody has committed yet: there is no __consumer_offsets

    def start(self, burrow):
        self.put("orders", 3000)
        self.put("audit", 3000)
        self.put("clicks", 2000)
        if burrow:   # it passes over commits to topics whose ends it does not know yet
            until("Burrow's word of all topics", 60, lambda: all(json.loads(get(BURROW, f"/v3/kafka/it/topic/{t}"))["offsets"] for t in ("orders", "audit", "clicks")))
        self.commit("lost-by-size", "clicks", 500)
        self.commit("lost-by-delete", "audit", 700)
        self.commit("once", "orders", 1500)
        self.put("clicks", 10000)   # 10 MB: retention takes the oldest
        next(iter(self.admin.delete_records([TopicPartition("audit", 0, 1000)]).values())).result(30)
        for i in range(10):         # ten commits, and then nothing more
            self.commit("stopped", "orders", 500 + 50 * i)
            time.sleep(1)
        for target in (self.produce, self.healthy, *(self.committing(*g) for g in (("slow-often", 2, lambda n: 1000 + 2 * n), ("slow-rarely", 12, lambda n: 1000 + 12 * n), ("stalled", 2, lambda n: 1200),
                                                                                   ("rewinding", 2, lambda n: 800 + 20 * (n % 6))))):
            self.threads.append(threading.Thread(target=self.guarded, args=(target,), daemon=True))
            self.threads[-1].start()

    def guarded(self, target):
        try:
            target()
        except (KafkaException, OSError, RuntimeError) as error:
            self.errors.append(error)

    def put(self, topic, n):
        for _ in range(n):
            self.producer.produce(topic, b"x" * 1000, partition=0)
            self.producer.poll(0)
        self.producer.flush(60)

    def commit(self, group, topic, offset):
        next(iter(self.admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, offset)])]).values())).result(30)

    def produce(self):
        while not self.over.wait(0.1):
            self.put("orders", RATE // 10)

    def healthy(self):
        """A member that reads all and commits every 2 s."""
        consumer = Consumer({"bootstrap.servers": ADDRESS, "group.id": "healthy", "enable.auto.commit": False, "auto.offset.reset": "earliest"})
        consumer.subscribe(["orders"])
        at = time.monotonic()
        while not self.over.is_set():
            consumer.consume(1000, 0.1)
            if time.monotonic() - at >= 2 and consumer.position(consumer.assignment()):
                consumer.commit(asynchronous=False)
                at = time.monotonic()
        consumer.close()   # what came since the last commit is lag

    def committing(self, group, every_s, offset):
        def run():
            n = 0
            while True:
                self.commit(group, "orders", offset(n))
                n += 1
                if self.over.wait(every_s):
                    return
        return run

    def stop(self):
        self.over.set()
        for t in self.threads:
            t.join(60)
        if self.errors:
            raise self.errors[0]


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read().decode()


def until(what, seconds, ask):
    deadline, last = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        try:
            if (got := ask()):
                return got
        except (OSError, KafkaException) as error:
            last = error
        time.sleep(0.5)
    raise AssertionError(f"{what} did not come within {seconds} s: {last}")


class Tools:
    """Processes of the monitors; ended with the block."""

    def __init__(self, broker, monitors, burrow):
        self.processes, self.logs = [], []
        os.makedirs(WORK + "/burrow", exist_ok=True)
        if burrow:
            self.start("zookeeper", [java(), "-Xmx128m", "-Dzookeeper.admin.enableServer=false", "-cp", f"{broker.lib}/*", "org.apache.zookeeper.server.ZooKeeperServerMain", str(ZOOKEEPER), WORK + "/zookeeper"])
            with open(WORK + "/burrow/burrow.toml", "w") as f:   # what is not said here is Burrow's default, but that an answer may be a second old, not ten
                f.write(f"""[zookeeper]
servers=["127.0.0.1:{ZOOKEEPER}"]
timeout=6
root-path="/burrow"
[client-profile.it]
kafka-version="2.1.0"
[cluster.it]
class-name="kafka"
servers=["{ADDRESS}"]
client-profile="it"
topic-refresh=5
[consumer.it]
class-name="kafka"
cluster="it"
servers=["{ADDRESS}"]
client-profile="it"
[httpserver.default]
address="127.0.0.1:{BURROW}"
[storage.default]
class-name="inmemory"
[evaluator.default]
class-name="caching"
expire-cache=1
""")
            time.sleep(3)
            self.start("burrow", [monitors + "/burrow/usr/bin/Burrow", "-config-dir", WORK + "/burrow"], cwd=WORK + "/burrow")
            until("Burrow", 30, lambda: get(BURROW, "/burrow/admin"))
        with open(WORK + "/klag.toml", "w") as f:
            f.write(f"""[exporter]
poll_interval = "2s"
http_port = {KLAG}
http_host = "127.0.0.1"
granularity = "partition"
[exporter.timestamp_sampling]
enabled = true
mode = "message"
cache_ttl = "1s"
max_concurrent_fetches = 4
[exporter.otel]
enabled = false
[[clusters]]
name = "it"
bootstrap_servers = "{ADDRESS}"
group_whitelist = [".*"]
group_blacklist = []
topic_whitelist = [".*"]
topic_blacklist = ["__.*"]
""")
        self.start("klag", [monitors + "/klag-exporter-0.1.22/bin/klag-exporter", "--config", WORK + "/klag.toml"])

    def start(self, name, command, cwd=None):
        self.logs.append(open(f"{WORK}/{name}.log", "w"))
        self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.logs[-1], stderr=self.logs[-1], cwd=cwd))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for p in reversed(self.processes):
            p.terminate()
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
        for log in self.logs:
            log.close()


class Watch:
    """`supyo watch --json`: what it said last of each group, with its words over time."""

    def __init__(self):
        self.log = open(WORK + "/watch.log", "w")
        self.process = subprocess.Popen([SUPYO, "watch", "--bootstrap", ADDRESS, "--every", "1s", "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.looks = collections.deque(maxlen=1000)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.looks.append((time.monotonic(), json.loads(line)))

    def groups(self, since):
        return [{g["name"]: g["partitions"][0] | {"group_alarms": g["alarms"]} for g in look["groups"] if g["partitions"]} for at, look in list(self.looks) if at >= since]

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


def burrow_partition(group):
    """Its one partition as Burrow has it: /lag gives all of them, /status the bad ones."""
    answer = json.loads(get(BURROW, f"/v3/kafka/it/consumer/{group}/lag"))["status"]
    return answer["partitions"][0] | {"group_status": answer["status"]}


def klag_series():
    """Series of partitions: group -> name -> value."""
    out = collections.defaultdict(dict)
    for line in get(KLAG, "/metrics").splitlines():
        m = re.match(r'kafka_consumergroup_group_(\w+)\{(.*)\} ([-0-9.e+]+|NaN)$', line)
        if m and (group := re.search(r'[{,]?\bgroup="([^"]*)"', m[2])) and "partition=" in m[2]:
            out[group[1]][m[1]] = float(m[3])
    return out


def consumer_group_command(lib):
    text = subprocess.run([java(), "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", f"{lib}/*", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server", ADDRESS, "--describe",
                           "--all-groups"], capture_output=True, text=True, timeout=120, check=True).stdout
    rows = [line.split() for line in text.splitlines()]
    return {r[0]: {"committed": int(r[3]), "end": int(r[4]), "lag": int(r[5])} for r in rows if len(r) > 5 and r[5].isdigit()}


def words_of_both(watch):
    """What Burrow and `watch` said of each group while its state went on."""
    said, begin = {name: (set(), set()) for name in BURROW_SAYS}, time.monotonic()
    while time.monotonic() < begin + SEEN_S:
        for name in BURROW_SAYS:
            said[name][0].add(burrow_partition(name)["status"])
        time.sleep(1)
    for look in watch.groups(begin):
        for name, partition in ((n, p) for n, p in look.items() if n in BURROW_SAYS):
            said[name][1].add(OURS[partition["alarms"]["burrow"]])
    problems = []
    print(f"\n| group | Burrow 1.2.1, over {SEEN_S} s | our arm |\n|---|---|---|")
    for name, (theirs, ours) in said.items():
        print(f"| {name} | {', '.join(sorted(theirs))} | {', '.join(sorted(ours))} |", flush=True)
        wanted, different = BURROW_SAYS[name]
        if theirs != wanted:
            problems.append(f"Burrow says {theirs} of {name}, expected {wanted}")
        if ours != (different[0] if different else theirs):
            problems.append(f"we say {ours} of {name}, Burrow {theirs}")
    return problems


def numbers_of_all(watch, lib, burrow):
    """Once nothing moves: the same numbers."""
    quiet = time.monotonic()
    truth = until("ConsumerGroupCommand", 60, lambda: consumer_group_command(lib))
    until("a look of ours after it", 30, lambda: watch.groups(time.monotonic() - 0.9))
    time.sleep(12)   # Burrow asks for ends every ten seconds, klag-exporter every two
    klag = until("klag-exporter's series of all groups", 120, lambda: (k := klag_series()) and all("lag" in k.get(name, {}) for name in BURROW_SAYS) and k)   # it finds new groups after a while
    ours, problems = watch.groups(quiet)[-1], []
    print("\n| group | lag: ConsumerGroupCommand, ours, klag-exporter, Burrow | lost: ours, klag-exporter | % of what is kept: ours, klag-exporter | oldest unread, s: ours, klag-exporter | our alarms: percentage, lost |\n|---|---|---|---|---|---|")
    for name in BURROW_SAYS:
        us, them = ours[name], klag[name]
        lag, alarms = us["end"] - us["committed"], us["alarms"]
        lags = [truth[name]["lag"], lag, int(them["lag"])] + ([burrow_partition(name)["current_lag"]] if burrow else [])
        seconds = us["oldest_unread_s"], them.get("lag_seconds")
        print(f"| {name} | {', '.join(map(str, lags))} | {alarms['messages_lost']}, {them['messages_lost']:.0f} | {alarms['retention_percent']:.2f}, {them['lag_retention_ratio']:.2f} | "
              f"{', '.join('-' if s is None else f'{s:.1f}' for s in seconds)} | {us['group_alarms']['retention_percent']}, {us['group_alarms']['messages_lost']} |", flush=True)
        if len(set(lags)) != 1:
            problems.append(f"lag of {name}: {lags}")
        if alarms["messages_lost"] != them["messages_lost"] or us["committed"] - us["log_start"] != them["retention_margin"]:
            problems.append(f"lost by {name}: {alarms['messages_lost']} and {them['messages_lost']}, margin {us['committed'] - us['log_start']} and {them['retention_margin']}")
        if abs(alarms["retention_percent"] - them["lag_retention_ratio"]) > 0.01:
            problems.append(f"share of what is kept, of {name}: {alarms['retention_percent']} and {them['lag_retention_ratio']}")
        if seconds[0] is None or abs(seconds[0] - seconds[1]) > 10:   # it asks every two seconds, we every second
            problems.append(f"age of the oldest unread record of {name}: {seconds}")
        if (us["group_alarms"]["messages_lost"] == "CRITICAL") != (them["messages_lost"] > 0):
            problems.append(f"alarm of lost records of {name}: {us['group_alarms']}, series {them['messages_lost']}")
    for name in ("lost-by-size", "lost-by-delete"):
        if not ours[name]["alarms"]["messages_lost"] > 0:
            problems.append(f"{name} lost nothing: the test tests nothing")
    return problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kafka", choices=["3.9.2", "4.1.1"], default="3.9.2")
    version = parser.parse_args().kafka
    with_burrow = version.startswith("3.")
    os.makedirs(WORK, exist_ok=True)
    monitors = subprocess.run([os.path.join(ROOT, "scripts/fetch_monitors.sh")], check=True, capture_output=True, text=True).stdout.strip()
    tools_lib = fetch_jars("4.1.1")
    broker, watch, problems = Broker(WORK + "/kafka", version), None, []
    subprocess.run(["rm", "-rf", WORK + "/zookeeper"], check=True)
    try:
        broker.start()
        admin = AdminClient({"bootstrap.servers": ADDRESS})
        groups = Groups(admin)
        with Tools(broker, monitors, with_burrow):
            watch = Watch()
            groups.start(with_burrow)
            print(f"Kafka {version}: {len(BURROW_SAYS)} groups", flush=True)
            if with_burrow:
                time.sleep(WARM_S)
                problems += words_of_both(watch)
            else:
                time.sleep(15)
            groups.stop()
            problems += numbers_of_all(watch, tools_lib, with_burrow)
    finally:
        if watch:
            watch.stop()
        broker.stop()
    if problems:
        sys.exit("\n".join(problems))
    for name, (_, different) in BURROW_SAYS.items():
        if different and with_burrow:
            print(f"{name}: {different[1]}")
    print("ok")


if __name__ == "__main__":
    main()
