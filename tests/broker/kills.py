"""kill -9 of `supyo broker` under load: what was acknowledged is there once and in order, no transaction is half done or hangs.

Usage: kills.py --rounds 20 --seed 7
"""
import argparse
import os
import random
import shutil
import sys
import threading
import time

import confluent_kafka as ck

sys.path.insert(0, os.path.dirname(__file__))
from broker import Broker, check  # noqa: E402
from clients import create, deadline, ends, producer, read  # noqa: E402

DATA = "build/e2e/broker-kills"


class Plain(threading.Thread):
    """Numbers, one after another, acks=all and idempotent."""

    def __init__(self, b):
        super().__init__()
        self.b, self.sent, self.acked, self.failed, self.stopping = b, 0, {}, [], False

    def run(self):
        p = producer(self.b, enable_idempotence=True, message_timeout_ms=60000, reconnect_backoff_ms=10, reconnect_backoff_max_ms=50)

        def done(number):
            def f(error, message):
                if error is None:
                    self.acked[number] = message.offset()
                else:
                    self.failed.append(str(error))
            return f
        while not self.stopping:
            p.produce("plain", b"%d" % self.sent, partition=0, on_delivery=done(self.sent))
            self.sent += 1
            p.poll(0)
            if self.sent % 50 == 0:
                time.sleep(0.002)   # enough load to be killed under, little enough to be read back soon
            if self.sent - len(self.acked) > 2000:
                p.poll(0.01)
        p.flush(60)


class Transactions(threading.Thread):
    """Each transaction writes its number to both partitions; every fourth is aborted on purpose."""

    def __init__(self, b):
        super().__init__()
        self.b, self.committed, self.aborted, self.unknown, self.stopping = b, set(), set(), set(), False

    def run(self):
        p, number = None, 0
        while not self.stopping:
            number += 1
            try:
                if p is None:
                    p = producer(self.b, transactional_id="t", reconnect_backoff_ms=10, reconnect_backoff_max_ms=50)
                    p.init_transactions(30)
                self.unknown.add(number)
                p.begin_transaction()
                for partition in (0, 1):
                    p.produce("tx", b"%d" % number, partition=partition)
                if number % 4 == 0:
                    p.abort_transaction(30)
                    self.aborted.add(number)
                else:
                    p.commit_transaction(30)
                    self.committed.add(number)
                self.unknown.discard(number)
            except (ck.KafkaException, BufferError):
                p = None   # whatever it was: a new producer, the outcome is unknown


def check_plain(b, load):
    check(not load.failed, f"not delivered: {load.failed[:3]}")
    check(len(load.acked) == load.sent, f"{load.sent} sent, {len(load.acked)} acknowledged")
    values = [m.value() for m in read(b, "plain", load.sent)]
    check(values == [b"%d" % i for i in range(load.sent)], "every number once and in order")
    check(all(load.acked[i] in (i, -1) for i in load.acked), "at the offset that was acknowledged")


def check_transactions(b, load):
    for partition in (0, 1):
        for _ in deadline(30):   # what was open is aborted when its time is over
            if ends(b, "tx", partition) == ends(b, "tx", partition, "read_committed"):
                break
            time.sleep(0.1)
    seen = []
    for partition in (0, 1):
        c = ck.Consumer({"bootstrap.servers": b.address, "group.id": "check", "isolation.level": "read_committed", "enable.partition.eof": True})
        c.assign([ck.TopicPartition("tx", partition, 0)])
        values = []
        for _ in deadline():
            m = c.poll(1)
            if m is not None and m.error() is not None and m.error().code() == ck.KafkaError._PARTITION_EOF:
                break
            if m is not None:
                check(m.error() is None, f"{m.error()}")
                values.append(int(m.value()))
        c.close()
        check(len(values) == len(set(values)), "no transaction twice")
        seen.append(set(values))
    check(seen[0] == seen[1], f"in both partitions or in none: {sorted(seen[0] ^ seen[1])[:5]}")
    check(load.committed <= seen[0], f"committed and gone: {sorted(load.committed - seen[0])[:5]}")
    check(not load.aborted & seen[0], "aborted and visible")
    check(seen[0] <= load.committed | load.unknown, "visible and never committed")
    return len(seen[0])


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=20)
    arguments.add_argument("--seed", type=int, default=7)
    options = arguments.parse_args()
    rng = random.Random(options.seed)
    shutil.rmtree(DATA, ignore_errors=True)
    with Broker(DATA) as b:
        create(b, "plain")
        create(b, "tx", 2)
        plain, transactions = Plain(b), Transactions(b)
        plain.start()
        transactions.start()
        for _ in range(options.rounds):
            before, committed = len(plain.acked), len(transactions.committed)
            for _ in deadline(30):   # killed while both work, not while they look for the broker
                if len(plain.acked) > before + 100 and len(transactions.committed) > committed:
                    break
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.1))
            b.kill()
            b.start()
        plain.stopping = transactions.stopping = True
        transactions.join()
        plain.join()
        check(plain.sent > 0 and transactions.committed, "there was load")
        check_plain(b, plain)
        visible = check_transactions(b, transactions)
        print(f"{options.rounds} kills: {plain.sent} records each once and in order; {visible} transactions whole, {len(transactions.aborted)} aborted, "
              f"{len(transactions.unknown)} interrupted, none half done", flush=True)


if __name__ == "__main__":
    main()
