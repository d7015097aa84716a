"""`supyo consume` against `supyo broker`, and the metrics and the page of both."""
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

from supyo import BINARY, run

SMALL = {"group.initial.rebalance.delay.ms": 0, "log.retention.check.interval.ms": 100, "log.initial.task.delay.ms": 100}


class Broker:
    def __init__(self, directory):
        command = [BINARY, "broker", "--data", directory, "--listen", "127.0.0.1:0", "--serve", "0"]
        for key, value in {**SMALL, "log.retention.bytes": 262144, "log.segment.bytes": 65536}.items():   # of topics that are made from now on
            command += ["--config", f"{key}={value}"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.url = re.search(r"serving (http://\S+?)/ ", self.process.stderr.readline()).group(1)
        self.address = re.search(r"broker at (\S+),", self.process.stdout.readline()).group(1)

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return answer.read().decode()

    def metric(self, name, **labels):
        """Sum over the series that have these labels; None when there is none."""
        values = []
        for line in self.get("/metrics").splitlines():
            found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if found and found.group(1) == name and all(f'{k}="{v}"' in (found.group(2) or "") for k, v in labels.items()):
                values.append(float(found.group(3)))
        return sum(values) if values else None

    def wait(self, what, condition):
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end and self.process.poll() is None, f"{what} did not happen:\n" + self.get("/metrics")
            time.sleep(0.02)


def consume(broker, group, *args, check=True):
    done = run("consume", "--bootstrap", broker.address, "--topic", "events", "--group", group, "--json", *args, check=check)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    done.last = next((x for x in lines if x.get("result") == "ended"), None)
    done.events = [x for x in lines if "event" in x]
    done.seconds = [x for x in lines if "partitions" in x and "event" not in x]
    return done


def produce(broker, count, seed):
    run("gen", "product", "--count", count, "--seed", seed, "--to", f"kafka://{broker.address}/events")


def losses(broker):
    produce(broker, 500, 1)
    first = consume(broker, "slow", "--max", "100").last
    assert (first["handled"], first["lost"], first["gaps"]) == (100, 0, 0), first
    assert consume(broker, "error", "--max", "100", "--commit", "java").last["handled"] == 100
    assert consume(broker, "latest", "--max", "100", "--commit", "before").last["handled"] == 100
    broker.wait("the commit on the metrics page", lambda: broker.metric("supyo_consumergroup_current_offset", consumergroup="slow") == 100)
    produce(broker, 20_000, 2)
    broker.wait("retention", lambda: (broker.metric("supyo_topic_partition_oldest_offset", topic="events") or 0) > 15_000)
    start, end = (int(broker.metric(f"supyo_topic_partition_{x}_offset", topic="events")) for x in ("oldest", "current"))
    assert broker.metric("supyo_consumergroup_lag", consumergroup="slow") == end - 100
    assert broker.metric("supyo_consumergroup_headroom", consumergroup="slow") == 100 - start
    assert broker.metric("supyo_consumergroup_lost_total", consumergroup="slow") == 0, "nothing is lost before the group comes to it"
    back = consume(broker, "slow", "--max", "50")
    gone = [e for e in back.events if e["event"] == "position_gone"]
    assert [(e["from"], e["to"]) for e in gone] == [(100, start)], (gone, start)
    assert back.last["lost"] == start - 100 and back.last["gaps"] == 0 and back.last["handled"] == 50, back.last
    broker.wait("the loss on the metrics page", lambda: broker.metric("supyo_consumergroup_lost_total", consumergroup="slow") == start - 100)
    refused = consume(broker, "error", "--reset", "error", check=False)
    assert refused.returncode == 1 and "SUPYO-6007" in refused.stderr, refused.stderr
    skipped = consume(broker, "latest", "--reset", "latest", "--for", "5s")
    assert skipped.last["lost"] == end - 100 and skipped.last["handled"] == 0, skipped.last
    assert broker.metric("supyo_broker_records_in_total", topic="events") == 20_500
    assert broker.metric("supyo_broker_request_seconds_count", api="Produce") > 0
    broker.wait("the members to be gone", lambda: broker.metric("supyo_consumergroup_members") == 0)
    print(f"losses: {start - 100:,} with earliest, {end - 100:,} with latest, an error with error; the metrics page agrees")


def page(broker):
    html = broker.get("/")
    assert html.startswith("<!doctype html>") and "http" not in re.sub(r"http://www\.w3\.org/2000/svg", "", html)
    flows = json.loads(broker.get("/v1/flows"))
    assert flows["embedded"] and flows["reachable"] and {g["name"] for g in flows["groups"]} == {"slow", "error", "latest"} and flows["metrics"]["scrapes"] > 0, flows


def kills(broker, directory, rng):
    """The results and the position together: after any number of kills each record is there once."""
    out = f"{directory}/results"
    command = [BINARY, "consume", "--bootstrap", broker.address, "--topic", "events", "--group", "killed", "--commit", "txn", "--commit-interval", "20ms", "--batch", "10", "--sleep", "1ms", "--out", out,
               "--instance", "one", "--json"]
    for _ in range(6):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        size = os.path.getsize(out) if os.path.exists(out) else 0
        end = time.monotonic() + 60
        while (os.path.getsize(out) if os.path.exists(out) else 0) <= size and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        assert process.poll() is None, f"it ended by itself with {process.returncode}"
        time.sleep(rng.uniform(0, 0.2))
        process.send_signal(signal.SIGKILL)
        process.wait()
    run(*command[1:], "--max", "120", "--for", "60s")
    ids = [json.loads(line)["event_id"] for line in open(out)]
    assert len(ids) > 100 and ids == list(range(ids[0], ids[0] + len(ids))), (len(ids), len(set(ids)))
    print(f"txn: killed 6 times, {len(ids):,} results, each once and in order")


def stops(broker):
    process = subprocess.Popen([BINARY, "consume", "--bootstrap", broker.address, "--topic", "events", "--group", "stopped", "--sleep", "1h", "--serve", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while "assigned: partition" not in (line := process.stderr.readline()):
        assert line, "it ended"
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 0 and "0 records handled" in error, error
    print(f"Ctrl-C in the middle of a record: gone after {time.monotonic() - begin:.2f} s")
    broker.wait("the member to be gone", lambda: broker.metric("supyo_consumergroup_members", consumergroup="stopped") in (0, None))


def main():
    rng = random.Random(7)
    for wrong, code in ((["--commit", "txn"], "SUPYO-1001"), (["--data", "x"], "supyo broker --data x"), (["--sleep", "2"], "SUPYO-1003")):
        done = run("consume", "--topic", "t", "--group", "g", *wrong, check=False)
        assert done.returncode in (1, 2) and code in done.stderr, done.stderr
    with tempfile.TemporaryDirectory(prefix="supyo-consume-") as directory:
        broker = Broker(f"{directory}/log")
        try:
            losses(broker)
            page(broker)
            kills(broker, directory, rng)
            stops(broker)
            broker.process.send_signal(signal.SIGINT)
            _, error = broker.process.communicate(timeout=30)
            assert broker.process.returncode == 0, error
        finally:
            if broker.process.poll() is None:
                broker.process.kill()
                broker.process.communicate()


if __name__ == "__main__":
    sys.exit(main())
