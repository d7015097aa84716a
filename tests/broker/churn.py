#!/usr/bin/env python3
"""Members of a group come and go for a long time: no offset is lost, the group never hangs. Usage: churn.py --members 24 --seconds 600 --every 5 --seed 7

Every few seconds some members leave, some fall silent until they are out (they stop polling), and others join. All the while records are produced.
Checked: what is fetched as committed is never less than what was acknowledged as committed; a new owner begins there; every partition goes on being
committed; at the end all records were consumed, the members own each partition once, and the committed offsets are the ends.
"""
import argparse
import os
import random
import shutil
import sys
import threading
import time

import confluent_kafka as ck

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from broker import Broker, check  # noqa: E402
from clients import admin_client, create, deadline, producer  # noqa: E402

TOPIC, GROUP = "churn", "churners"
PATIENCE_S = 60   # longest time without progress. A silent member is out after SILENT_MS; that, the barrier and the next change may follow on each other
SILENT_MS = 6000


class Ledger:
    """What all members together did."""

    def __init__(self, partitions):
        self.lock, self.partitions = threading.Lock(), partitions
        self.committed = [0] * partitions       # highest acknowledged commit
        self.moved = [time.monotonic()] * partitions
        self.seen = [set() for _ in range(partitions)]
        self.longest, self.rebalances, self.problems = 0.0, 0, []

    def acknowledged(self, offsets):
        now = time.monotonic()
        with self.lock:
            for p in offsets:
                if p.error is None and p.offset > self.committed[p.partition]:
                    self.longest = max(self.longest, now - self.moved[p.partition])
                    self.committed[p.partition], self.moved[p.partition] = p.offset, now

    def floor(self):
        with self.lock:
            return list(self.committed)

    def problem(self, text):
        with self.lock:
            self.problems.append(text)


class Member(threading.Thread):
    def __init__(self, b, ledger, strategy, name):
        super().__init__(name=name, daemon=True)
        self.ledger, self.leaving, self.silent_until = ledger, threading.Event(), 0.0
        self.began = {}   # partition -> least offset its first record may have
        self.consumer = ck.Consumer({"bootstrap.servers": b.address, "group.id": GROUP, "client.id": name, "auto.offset.reset": "earliest", "enable.auto.commit": False,
                                     "partition.assignment.strategy": strategy, "session.timeout.ms": SILENT_MS, "max.poll.interval.ms": SILENT_MS, "heartbeat.interval.ms": 300,
                                     "log_level": 0, "fetch.wait.max.ms": 100})

    def assigned(self, consumer, partitions):
        """Nobody may have committed more than is fetched now; and here this member has to begin."""
        floor = self.ledger.floor()
        try:
            fetched = consumer.committed([ck.TopicPartition(TOPIC, p.partition) for p in partitions], 10)
        except ck.KafkaException:
            return   # asked in the middle of the next rebalance
        with self.ledger.lock:
            self.ledger.rebalances += 1
        for p in fetched:
            if max(p.offset, 0) < floor[p.partition]:
                self.ledger.problem(f"partition {p.partition}: {floor[p.partition]} was committed, {p.offset} is fetched")
            self.began[p.partition] = max(p.offset, 0)

    def run(self):
        self.consumer.subscribe([TOPIC], on_assign=self.assigned)
        while not self.leaving.is_set():
            time.sleep(max(0.0, self.silent_until - time.monotonic()))
            messages = [m for m in self.consumer.consume(500, 0.2) if m.error() is None]
            if not messages:
                continue
            ends = {}
            for m in messages:
                begin = self.began.pop(m.partition(), None)
                if begin is not None and m.offset() < begin:
                    self.ledger.problem(f"{self.name} began partition {m.partition()} at {m.offset()}, committed was {begin}")
                if begin is not None and m.offset() > begin:
                    self.ledger.problem(f"{self.name} skipped in partition {m.partition()} from {begin} to {m.offset()}")
                self.ledger.seen[m.partition()].add(m.offset())
                ends[m.partition()] = m.offset() + 1
            mine = {tp.partition for tp in self.consumer.assignment()}   # what was taken away during consume() is another's to commit: no broker checks that
            offsets = [ck.TopicPartition(TOPIC, p, o) for p, o in ends.items() if p in mine]
            try:
                if offsets:
                    self.ledger.acknowledged(self.consumer.commit(offsets=offsets, asynchronous=False))
            except ck.KafkaException:
                pass   # the partitions are another member's by now: it reads these records again
        self.consumer.close()


class Churn:
    def __init__(self, b, options):
        self.b, self.options, self.rng = b, options, random.Random(options.seed)
        self.ledger, self.members, self.gone, self.number = Ledger(options.partitions), [], [], 0
        self.strategy = self.rng.choice(["range", "cooperative-sticky"]) if options.strategy is None else options.strategy

    def join(self, count):
        for _ in range(count):
            self.number += 1
            member = Member(self.b, self.ledger, self.strategy, f"m{self.number}")
            self.members.append(member)
            member.start()

    def change(self):
        """Some go, some fall silent, and as many come as are missing, or a few less."""
        going = self.rng.sample(self.members, self.rng.randint(1, max(1, len(self.members) // 3)))
        for m in going:
            if self.rng.random() < 0.2 and not any(other.silent_until > time.monotonic() for other in self.members):
                m.silent_until = time.monotonic() + SILENT_MS / 1000 + 2
            else:
                m.leaving.set()
                self.members.remove(m)
                self.gone.append(m)
        self.join(max(0, self.options.members - len(self.members) - self.rng.randint(0, 2)))

    def watch(self):
        now = time.monotonic()
        with self.ledger.lock:
            stuck = [p for p in range(self.options.partitions) if now - self.ledger.moved[p] > PATIENCE_S]
        check(not stuck, f"no commit for {PATIENCE_S} s in partitions {stuck}: the group hangs")
        check(not self.ledger.problems, "; ".join(self.ledger.problems[:3]))

    def run(self):
        sent = [0] * self.options.partitions
        p = producer(self.b)
        end, change_at = time.monotonic() + self.options.seconds, time.monotonic() + self.options.every
        self.join(self.options.members)
        self.ledger.moved = [time.monotonic()] * self.options.partitions
        while time.monotonic() < end:
            for partition in range(self.options.partitions):
                p.produce(TOPIC, b"%d" % sent[partition], partition=partition)
                sent[partition] += 1
            p.poll(0)
            self.watch()
            if time.monotonic() >= change_at:
                change_at += self.options.every
                self.change()
            time.sleep(0.1)
        p.flush(30)
        self.finish(sent)
        print(f"{self.options.members} members, {self.strategy}, {self.options.seconds:.0f} s: {self.number} joined in all, {self.ledger.rebalances} assignments, {sum(sent)} records "
              f"consumed, longest wait for a commit {self.ledger.longest:.1f} s", flush=True)

    def finish(self, sent):
        for _ in deadline(PATIENCE_S + SILENT_MS / 1000):
            self.watch_problems()
            if self.ledger.floor() == sent:
                break
            time.sleep(0.1)
        check(all(len(self.ledger.seen[i]) == n for i, n in enumerate(sent)), "every record was consumed")
        a = admin_client(self.b)
        for _ in deadline(PATIENCE_S):
            group = a.describe_consumer_groups([GROUP])[GROUP].result(10)
            owned = sorted(tp.partition for m in group.members for tp in m.assignment.topic_partitions)
            if group.state == ck.ConsumerGroupState.STABLE and owned == list(range(self.options.partitions)) and len(group.members) == len(self.members):
                break
            time.sleep(0.2)
        for m in self.members:
            m.leaving.set()
        for m in self.members + self.gone:
            m.join(30)
            check(not m.is_alive(), f"{m.name} hangs")
        self.watch_problems()
        fetched = a.list_consumer_group_offsets([ck.ConsumerGroupTopicPartitions(GROUP)])[GROUP].result(10).topic_partitions
        check({tp.partition: tp.offset for tp in fetched} == dict(enumerate(sent)), "the committed offsets are the ends")

    def watch_problems(self):
        check(not self.ledger.problems, "; ".join(self.ledger.problems[:3]))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--members", type=int, default=24)
    p.add_argument("--partitions", type=int, default=36)
    p.add_argument("--seconds", type=float, default=600)
    p.add_argument("--every", type=float, default=5)
    p.add_argument("--seed", type=int, default=7)
    p.add_argument("--strategy", choices=["range", "roundrobin", "cooperative-sticky"])
    options = p.parse_args()
    data = "build/e2e/broker-churn"
    shutil.rmtree(data, ignore_errors=True)
    with Broker(data) as b:
        create(b, TOPIC, options.partitions)
        Churn(b, options).run()
        check(b.stop() == 0, "a clean stop")


if __name__ == "__main__":
    main()
