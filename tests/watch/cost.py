"""What `supyo watch` costs on a large cluster: 500 groups over 5,000 partitions of an embedded broker, at an interval of 15 s.

Run: build/venv/bin/python tests/watch/cost.py SUPYO [SECONDS [GROUPS [TOPICS [PARTITIONS]]]]. Prints memory and share of a core of the watching process, without its first look.
Fails above 100 MB or 20 % of a core.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

SUPYO = sys.argv[1]
SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 120
GROUPS = int(sys.argv[3]) if len(sys.argv) > 3 else 500
TOPICS = int(sys.argv[4]) if len(sys.argv) > 4 else 100
PARTITIONS = int(sys.argv[5]) if len(sys.argv) > 5 else 50
MOST_MB, MOST_SHARE = 100, 0.20
SERIES = 512   # of one metric, at most


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid, name="VmRSS"):
    return next(int(line.split()[1]) / 1024 for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(name + ":"))


def fill(address):
    """Topics, a few records in every partition, and for each group offsets of ten partitions that nobody shares."""
    admin = AdminClient({"bootstrap.servers": address})
    for f in admin.create_topics([NewTopic(f"topic-{t:03}", PARTITIONS, 1) for t in range(TOPICS)], operation_timeout=60).values():
        f.result()
    producer = Producer({"bootstrap.servers": address, "linger.ms": 50, "message.timeout.ms": 600000})
    for t in range(TOPICS):
        for p in range(PARTITIONS):
            for _ in range(3):
                producer.produce(f"topic-{t:03}", b"x" * 100, partition=p)
        producer.poll(0)
    producer.flush(120)
    places = [TopicPartition(f"topic-{t:03}", p, 1) for t in range(TOPICS) for p in range(PARTITIONS)]
    each = len(places) // GROUPS
    for g in range(GROUPS):
        for f in admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(f"group-{g:03}", places[g * each:(g + 1) * each])]).values():
            f.result()


def main():
    with tempfile.TemporaryDirectory() as directory:
        broker = subprocess.Popen([SUPYO, "broker", "--data", directory + "/log", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        watch = None
        try:
            address = broker.stdout.readline().split()[2].rstrip(",")
            begin = time.monotonic()
            fill(address)
            print(f"{GROUPS} groups, {TOPICS * PARTITIONS} partitions, made in {time.monotonic() - begin:.0f} s", flush=True)
            watch = subprocess.Popen([SUPYO, "watch", "--bootstrap", address, "--every", "15s", "--plain", "--serve", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            page = re.search(r"http://[0-9.:]+", watch.stderr.readline())[0]
            line = watch.stdout.readline()
            if f"{GROUPS} groups" not in line or f"{TOPICS} topics" not in line:
                sys.exit(f"not all is seen: {line}")
            threading.Thread(target=watch.stdout.read, daemon=True).start()   # who does not read what it prints holds it up
            before, begin = cpu_s(watch.pid), time.monotonic()
            time.sleep(SECONDS)
            share = (cpu_s(watch.pid) - before) / (time.monotonic() - begin)
            memory = rss_mb(watch.pid, "VmHWM")
            with urllib.request.urlopen(page + "/metrics", timeout=60) as answer:
                metrics = answer.read().decode()
            shown = min(TOPICS * PARTITIONS, SERIES + 1)   # those beyond are one, named other
            if metrics.count("supyo_consumergroup_lag{") != shown or metrics.count("supyo_consumergroup_members{") != GROUPS or "supyo_watch_up 1" not in metrics:
                sys.exit(f"not all is watched: {metrics.count('supyo_consumergroup_lag{')} of {shown} series")
            took = re.search(r"^supyo_watch_duration_seconds (\S+)", metrics, re.M)[1]
            print(f"watch: {memory:.1f} MB at most, {100 * share:.2f} % of a core over {SECONDS} s; the last look took {float(took):.2f} s")
            if memory > MOST_MB or share > MOST_SHARE:
                sys.exit("more than it may cost")
        finally:
            for process in (watch, broker):
                if process is not None and process.poll() is None:
                    begin = time.monotonic()
                    process.send_signal(signal.SIGINT)
                    process.wait(60)
                    print(f"{process.args[1]} ended after {time.monotonic() - begin:.1f} s")


if __name__ == "__main__":
    main()
