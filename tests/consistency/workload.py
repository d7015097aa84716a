#!/usr/bin/env python3
"""librdkafka clients and faults over a broker; their history is checked for the anomalies of Jepsen's kafka workload (anomalies.py).

Usage: workload.py --seconds 20 --seed 7 [--over embedded|kafka] [--faults kill,pause|none] [--history FILE] [--plant]

Senders (idempotent), transactors (send and poll in transactions, some aborted), copiers (a group that consumes, sends and commits its offsets in one transaction),
pollers (partitions of their choice) and subscribers (a group that rebalances), while the broker is killed and stopped. At the end somebody reads everything.
--plant has the consumers read uncommitted records: then aborted ones have to be found. The clients' interleaving is real: a seed repeats the choices, not the history.
"""
import argparse
import importlib.util
import itertools
import json
import os
import random
import shutil
import signal
import sys
import threading
import time

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient, NewTopic

import anomalies

HERE = os.path.dirname(os.path.abspath(__file__))
TRANSACTION_MS = 10_000
CALL_S = 15   # longest call of a client; librdkafka waits that long for some answers that a kill took away
VALUES = itertools.count(1)
PROCESSES = itertools.count(0)


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, os.path.join(HERE, "..", path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Embedded:
    def __init__(self, data):
        self.broker = load("supyo_broker", "broker/broker.py").Broker(data)
        self.address, self.kill, self.start = self.broker.address, self.broker.kill, self.broker.start

    def signal(self, number):
        self.broker.process.send_signal(number)

    def stop(self):
        if self.broker.stop() != 0:
            raise AssertionError("the broker did not stop cleanly")


class Kafka:
    """One real broker; its module waits until it is the only JVM of the kind on the machine."""

    def __init__(self, data):
        module = load("real_broker", "kafka/broker.py")
        self.broker, self.address = module.Broker(data), module.ADDRESS
        self.kill, self.start, self.stop = self.broker.kill, self.broker.start, self.broker.stop
        self.start()

    def signal(self, number):
        self.broker.process.send_signal(number)


class Recorder:
    def __init__(self, path):
        self.file, self.lock = open(path, "w", encoding="utf-8"), threading.Lock()

    def write(self, **entry):
        entry.setdefault("time", time.monotonic_ns())
        with self.lock:
            self.file.write(json.dumps(entry) + "\n")

    def close(self):
        with self.lock:
            self.file.close()


def key_of(message):
    return f"{message.topic()}-{message.partition()}"


def partition_of(key, offset=0):
    """Not OFFSET_BEGINNING: the answer to a query that an earlier assign() asked makes librdkafka 2.16 ask again half a second later, and begin anew with what it says."""
    topic, partition = key.rsplit("-", 1)
    return ck.TopicPartition(topic, int(partition), offset)


class Worker(threading.Thread):
    """A client. What goes wrong inside an operation is its outcome; the client then begins anew, as another process."""

    def __init__(self, test, name, seed):
        super().__init__(name=name, daemon=True)
        self.test, self.rng, self.process = test, random.Random(seed), next(PROCESSES)
        self.producer = self.consumer = None
        self.rebalanced, self.at_end = False, set()

    def run(self):
        while not self.test.stopping.is_set():
            try:
                self.step()
            except (ck.KafkaException, BufferError) as e:
                self.test.note(f"{self.name}: {e}")
                if isinstance(e, ck.KafkaException) and e.args[0].code() == ck.KafkaError._AUTO_OFFSET_RESET and not self.excused():
                    self.test.broken.append(f"{self.name}: {e}")
                self.reset()
                time.sleep(0.05)
            except Exception as e:   # a mistake here would otherwise look like a quiet client
                self.test.broken.append(f"{self.name}: {e!r}")
                raise
        self.reset()

    def reset(self):
        if self.consumer is not None:
            self.leave()
            self.consumer.close()
        self.test.abandoned.append(self.producer)   # it lives on as a zombie, which the broker has to fence; and to destroy one amid its calls can hang (librdkafka)
        self.producer = self.consumer = None
        self.process = next(PROCESSES)

    def make_producer(self, **config):
        return ck.Producer({**self.test.client, "linger.ms": self.rng.choice([0, 2, 5]), "enable.idempotence": True, **{k.replace("_", "."): v for k, v in config.items()}})

    def leave(self):
        """A rebalance that begins within close() can stop this whole process for good (librdkafka issue 4041, with Python's lock held)."""
        try:
            self.consumer.unsubscribe()
            deadline = time.monotonic() + 5
            while self.consumer.assignment() and time.monotonic() < deadline:
                self.consumer.consume(1, 0.05)
        except ck.KafkaException as e:
            self.test.note(f"{self.name}, leaving: {e}")

    def excused(self):
        """Every consumer has a position from the start: to be told that there is none, or no such offset, is a fault of the broker."""
        return False

    def make_consumer(self, group, **config):
        return ck.Consumer({**self.test.client, "group.id": group, "isolation.level": self.test.isolation, "auto.offset.reset": "error", "enable.auto.commit": False,
                            "session.timeout.ms": 6000, "heartbeat.interval.ms": 500, "fetch.wait.max.ms": 50,
                            "partition.assignment.strategy": self.test.strategy, **{k.replace("_", "."): v for k, v in config.items()}})

    def subscribe(self, group, topic):
        def moved(*_):
            self.rebalanced = True
        self.consumer = self.make_consumer(group)
        self.consumer.subscribe([topic], on_assign=moved, on_revoke=moved, on_lost=moved)
        self.record_now("subscribe", [topic])

    def assign_some(self):
        if self.consumer is None:
            self.consumer = self.make_consumer("nobody")
        keys = self.rng.sample(self.test.keys, self.rng.randint(1, len(self.test.keys)))
        self.consumer.assign([partition_of(k) for k in keys])
        self.record_now("assign", keys)

    def record_now(self, f, value, **more):
        self.test.recorder.write(process=self.process, type="invoke", f=f, value=value)
        self.test.recorder.write(process=self.process, type="ok", f=f, value=value, **more)

    def take(self, most, seconds):
        """Messages, and as a micro-operation's pairs by key."""
        messages, pairs = [], {}
        for m in self.consumer.consume(most, seconds):
            if m.error() is not None and m.error().code() == ck.KafkaError._PARTITION_EOF:
                self.at_end.add(key_of(m))
                continue
            if m.error() is not None:
                raise ck.KafkaException(m.error())
            messages.append(m)
            pairs.setdefault(key_of(m), []).append([m.offset(), int(m.value())])
        return messages, pairs

    def poll_operation(self):
        begin = time.monotonic_ns()
        _, pairs = self.take(200, 0.1)
        if pairs:
            self.test.recorder.write(process=self.process, type="invoke", f="poll", value=[["poll"]], time=begin)
            self.test.recorder.write(process=self.process, type="ok", f="poll", value=[["poll", pairs]], rebalanced=self.rebalanced)
            self.rebalanced = False
        return pairs

    def send(self, micro, key):
        """Sends a new value; its offset comes into the micro-operation with the acknowledgement."""
        value = next(VALUES)
        sent = ["send", key, [None, value]]
        micro.append(sent)

        def delivered(error, message):
            if error is None and message.offset() >= 0:
                sent[2][0] = message.offset()
            sent.append(error)
        p = partition_of(key)
        self.producer.produce(p.topic, b"%d" % value, partition=p.partition, on_delivery=delivered)
        return sent


def outcome_value(micro):
    return [m[:3] for m in micro]


class Sender(Worker):
    def step(self):
        if self.producer is None:
            self.producer = self.make_producer(message_timeout_ms=30_000)
        micro = []
        self.test.recorder.write(process=self.process, type="invoke", f="send", value=[])
        try:
            for _ in range(self.rng.randint(1, 6)):
                self.send(micro, self.rng.choice(self.test.keys))
            self.producer.flush(40)
        finally:
            fine = all(len(m) == 4 and m[3] is None for m in micro)
            self.test.recorder.write(process=self.process, type="ok" if fine else "info", f="send", value=outcome_value(micro))
        if not fine:
            self.reset()
        time.sleep(self.rng.uniform(0, 0.01))


class Transactor(Worker):
    def step(self):
        if self.producer is None:
            self.producer = self.make_producer(transactional_id=self.name, transaction_timeout_ms=TRANSACTION_MS)
            self.producer.init_transactions(CALL_S)
        if self.consumer is None or self.rng.random() < 0.05:
            self.assign_some()
        self.transaction(lambda micro: self.fill(micro), abort=self.rng.random() < 0.15)

    def fill(self, micro):
        for _ in range(self.rng.randint(1, 4)):
            if self.rng.random() < 0.35:
                micro.append(["poll", self.take(50, 0.02)[1]])
            else:
                self.send(micro, self.rng.choice(self.test.keys))

    def transaction(self, fill, abort=False, group=None):
        """Whether it was committed."""
        micro, more, outcome = [], {"group": group} if group else {}, "fail"   # who did not ask for the commit knows that there is none
        self.test.recorder.write(process=self.process, type="invoke", f="txn", value=[])
        try:
            self.producer.begin_transaction()
            fill(micro)
            if abort:
                # librdkafka (2.16) gives the numbers of records that are purged here to the next ones, also when the broker may have them: it would take those for these.
                unsure = len(self.producer) > 0
                self.producer.abort_transaction(CALL_S)
                if unsure:
                    self.test.abandoned.append(self.producer)
                    self.producer = None
            else:
                self.producer.flush(CALL_S)
                more["committing"] = time.monotonic_ns()
                outcome = "info"
                self.commit()
                outcome = "ok"
        finally:
            self.test.recorder.write(process=self.process, type=outcome, f="txn", value=outcome_value(micro), rebalanced=self.rebalanced, **more)
            self.rebalanced = False
        return outcome == "ok"

    def commit(self):
        for attempt in range(3):
            try:
                return self.producer.commit_transaction(CALL_S)
            except ck.KafkaException as e:
                if not e.args[0].retriable() or attempt == 2:
                    raise


class Copier(Transactor):
    """Consumes x, sends to y, and commits both as one."""

    def step(self):
        if self.producer is None:
            self.producer = self.make_producer(transactional_id=self.name, transaction_timeout_ms=TRANSACTION_MS)
            self.producer.init_transactions(CALL_S)
            self.subscribe("copy", "x")
        messages, pairs = self.take(50, 0.1)
        if not messages:
            return

        def fill(micro):
            micro.append(["poll", pairs])
            for m in messages:
                self.send(micro, f"y-{m.partition()}")
            ends = {(m.topic(), m.partition()): m.offset() + 1 for m in messages}
            self.producer.send_offsets_to_transaction([ck.TopicPartition(t, p, o) for (t, p), o in ends.items()], self.consumer.consumer_group_metadata(), CALL_S)
        if not self.transaction(fill, abort=self.rng.random() < 0.05, group="copy"):
            self.reset()   # back to the committed offsets

    def excused(self):
        """A position that an open transaction is about to change is not told (KIP-447). librdkafka asks again, but takes it for no position when the group
        rebalances meanwhile (2.12 to 2.16, over Kafka just so). Then the broker has to know it all the same."""
        asker = self.make_consumer("copy")
        deadline = time.monotonic() + 4 * TRANSACTION_MS / 1000
        try:
            while time.monotonic() < deadline:
                try:
                    known = asker.committed([partition_of(k) for k in self.test.keys], 5)
                except ck.KafkaException:
                    continue   # the broker is away
                if all(p.error is None for p in known):
                    return all(p.offset >= 0 for p in known)
            return False
        finally:
            asker.close()


class Poller(Worker):
    def step(self):
        if self.consumer is None or self.rng.random() < 0.02:
            self.assign_some()
        self.poll_operation()


class Subscriber(Worker):
    def step(self):
        if self.consumer is None:
            self.subscribe("subscribers", "x")
        if self.poll_operation():
            try:
                self.consumer.commit(asynchronous=False)
            except ck.KafkaException:
                pass   # the group moved on: the next poll tells
        if self.rng.random() < 0.01:
            self.reset()


class Test:
    def __init__(self, options):
        self.options, self.rng = options, random.Random(options.seed)
        self.stopping, self.broken, self.notes, self.abandoned = threading.Event(), [], [], []
        shutil.rmtree(options.work, ignore_errors=True)
        os.makedirs(options.work)
        self.history = options.history or os.path.join(options.work, "history.jsonl")
        self.recorder = Recorder(self.history)
        self.broker = (Kafka if options.over == "kafka" else Embedded)(os.path.join(options.work, "data"))
        self.client = {"bootstrap.servers": self.broker.address, "log_level": 0, "error_cb": lambda _: None, "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 100,
                       "topic.metadata.refresh.interval.ms": 1000, "socket.timeout.ms": 10_000,
                       "metadata.recovery.strategy": "none"}   # with another one send_offsets_to_transaction can hang for ever after a restart (librdkafka issue 5511)
        self.isolation = "read_uncommitted" if options.plant else "read_committed"
        self.strategy = self.rng.choice(["range", "cooperative-sticky"])
        self.keys = [f"x-{i}" for i in range(options.partitions)]
        self.all_keys = self.keys + [f"y-{i}" for i in range(options.partitions)]

    def note(self, text):
        self.notes.append(text)

    def create(self):
        admin = AdminClient(self.client)
        for f in admin.create_topics([NewTopic(t, self.options.partitions, 1) for t in ("x", "y")]).values():
            f.result(30)
        for group in ("copy", "subscribers"):
            first = ck.Consumer({**self.client, "group.id": group})
            first.commit(offsets=[partition_of(k) for k in self.keys], asynchronous=False)
            first.close()

    def faults(self):
        """Kills and pauses until the time is over; how many of each."""
        kinds, done = [k for k in self.options.faults.split(",") if k != "none"], {}
        end = time.monotonic() + self.options.seconds
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return done
            time.sleep(min(left, self.rng.uniform(0.5, 1.5) * self.options.every))
            if not kinds or time.monotonic() >= end:
                continue
            kind = self.rng.choice(kinds) if set(kinds) <= set(done) else [k for k in kinds if k not in done][0]
            done[kind] = done.get(kind, 0) + 1
            if kind == "kill":
                self.broker.kill()
                time.sleep(self.rng.uniform(0, 0.5))
                self.broker.start()
            else:
                self.broker.signal(signal.SIGSTOP)
                time.sleep(self.rng.uniform(0.1, 2))
                self.broker.signal(signal.SIGCONT)

    def read_everything(self):
        """The last poll: every key from its beginning to its end, when no transaction is open any more."""
        strict, loose = (ck.Consumer({**self.client, "group.id": "nobody", "isolation.level": f"read_{level}"}) for level in ("committed", "uncommitted"))
        deadline = time.monotonic() + 60
        for key in self.all_keys:
            while True:
                stable = strict.get_watermark_offsets(partition_of(key), 30)[1]
                if stable == loose.get_watermark_offsets(partition_of(key), 30)[1]:
                    break
                if time.monotonic() > deadline:
                    raise AssertionError(f"a transaction hangs in {key}: the last stable offset stays at {stable}")
                time.sleep(0.2)
        strict.close()
        loose.close()
        reader = Worker(self, "reader", 0)
        reader.consumer = reader.make_consumer("nobody", enable_partition_eof=True)
        reader.consumer.assign([partition_of(k) for k in self.all_keys])
        reader.record_now("assign", self.all_keys)
        deadline = time.monotonic() + 120
        while reader.at_end < set(self.all_keys) and time.monotonic() < deadline:   # what was not reached is reported as unseen
            reader.poll_operation()
        reader.consumer.close()

    def run(self):
        o = self.options
        kinds = [(Sender, 2), (Transactor, 3), (Copier, 2), (Poller, 2), (Subscriber, 2)]
        self.create()
        workers = [kind(self, f"{kind.__name__.lower()}-{i}", o.seed * 1000 + 10 * n + i) for n, (kind, count) in enumerate(kinds) for i in range(count)]
        for w in workers:
            w.start()
        faults = self.faults()
        self.stopping.set()
        for w in workers:
            w.join(180)
            if w.is_alive():
                self.broken.append(f"{w.name} hangs")
        self.read_everything()
        self.recorder.close()
        self.broker.stop()
        print(f"{o.over}, {o.seconds} s, seed {o.seed}, {self.strategy}: " + (", ".join(f"{n} x {kind}" for kind, n in faults.items()) or "no faults"), flush=True)
        for text in self.broken + (self.notes[:20] if o.verbose else []):
            print(text)
        with open(self.history, encoding="utf-8") as history:
            found = anomalies.report(history)
        if o.plant:
            return not self.broken and {"G1a", "precommitted-read"} <= set(found)
        return not self.broken and not found and self.worked()

    def worked(self):
        """A history in which nothing happens has no anomalies either."""
        with open(self.history, encoding="utf-8") as history:
            counts = anomalies.check(history)[2]
        for name in ("send ok", "txn ok", "txn fail", "poll ok"):
            if counts[name] < self.options.seconds:
                print(f"FAILED: only {counts[name]} x {name} in {self.options.seconds} s: that proves nothing")
                return False
        return True


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seconds", type=float, default=20)
    p.add_argument("--seed", type=int, default=7)
    p.add_argument("--over", choices=["embedded", "kafka"], default="embedded")
    p.add_argument("--faults", default="kill,pause")
    p.add_argument("--every", type=float, default=None, help="seconds from fault to fault, about")
    p.add_argument("--partitions", type=int, default=3)
    p.add_argument("--work", default="build/e2e/anomalies")
    p.add_argument("--history")
    p.add_argument("--plant", action="store_true")
    p.add_argument("--verbose", action="store_true")
    options = p.parse_args()
    if options.every is None:
        options.every = 12 if options.over == "kafka" else 3
    fine = Test(options).run()
    sys.stdout.flush()
    os._exit(0 if fine else 1)   # without taking the abandoned producers apart


if __name__ == "__main__":
    main()
