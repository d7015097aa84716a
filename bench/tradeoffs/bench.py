#!/usr/bin/env python3
"""The trade-offs of docs/tradeoffs.md, measured: delivery guarantees, event and processing time, tumbling and session windows, local and external state.

bench/tradeoffs/bench.py [--seed N] [guarantees time windows state]

Guarantees need build/venv (Kafka's Python client) and run on `supyo broker`. State has a row for Redis where redis-server is installed (Debian's package of that name).
"""
import argparse
import collections
import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request

SUPYO = os.path.abspath(os.environ.get("SUPYO", "build/release/supyo"))
WORK = os.path.abspath("build/bench/tradeoffs")
ORDERS = """CREATE TABLE orders (event_id BIGINT, order_id BIGINT, user_id BIGINT, region STRING, amount BIGINT, event_time TIMESTAMP(3), ingest_time TIMESTAMP(3), arrived AS PROCTIME(),
  WATERMARK FOR event_time AS event_time - INTERVAL '2' SECOND)
WITH ('connector' = 'kafka', 'topic' = 'orders', 'properties.bootstrap.servers' = '{servers}', 'properties.group.id' = '{group}', 'scan.startup.mode' = 'earliest-offset', {bounded} 'format' = 'json');
"""
BOUNDED = "'scan.bounded.mode' = 'latest-offset',"


def say(text=""):
    print(text, flush=True)


def fresh(name):
    path = f"{WORK}/{name}"
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    return path


def run(*args):
    """Standard output, and CPU seconds of the process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([SUPYO, *map(str, args)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"supyo {' '.join(map(str, args))} ended with {done.returncode}:\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def start(*args, log=None):
    out = open(log, "ab") if log else subprocess.DEVNULL
    return subprocess.Popen([SUPYO, *map(str, args)], stdout=out, stderr=out)


def stop(process, how=signal.SIGINT):
    if process.poll() is None:
        process.send_signal(how)
    process.wait()


def rows(sql):
    out, _ = run("sql", "--format", "json", "-e", sql)
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * q))]


# --- At least once, exactly once -----------------------------------------------------------------------------------------------------------------------


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Reader(threading.Thread):
    """Reads a topic from its beginning: (event_id, seconds from ingest_time to here) of every record that a reader of committed records sees."""

    def __init__(self, servers, topic):
        super().__init__(daemon=True)
        from confluent_kafka import Consumer   # only these parts need it
        self.client = Consumer({"bootstrap.servers": servers, "group.id": f"reader-{random.random()}", "isolation.level": "read_committed", "enable.auto.commit": False,
                                "fetch.wait.max.ms": 20, "auto.offset.reset": "earliest", "topic.metadata.refresh.interval.ms": 500, "allow.auto.create.topics": True})
        self.client.subscribe([topic])
        self.ids, self.delays, self.over, self.last = [], [], False, time.monotonic()
        self.start()

    def run(self):
        import datetime
        while not self.over:
            for m in self.client.consume(500, 0.05):
                if m.error():
                    continue
                row = json.loads(m.value())
                made = datetime.datetime.fromisoformat(row["ingest_time"]).replace(tzinfo=datetime.timezone.utc).timestamp()
                self.ids.append(row["event_id"])
                self.delays.append(time.time() - made)
                self.last = time.monotonic()
        self.client.close()


def start_broker(directory, servers, topic):
    from confluent_kafka.admin import AdminClient, NewTopic
    broker = start("broker", "--data", f"{directory}/log", "--listen", servers, log=f"{directory}/broker.log")
    admin = AdminClient({"bootstrap.servers": servers})
    for made in admin.create_topics([NewTopic(name, 1, 1) for name in ("orders", topic)]).values():
        made.result(30)
    return broker


def copy_job(directory, servers, guarantee, interval, bounded=""):
    return write(f"{directory}/{guarantee}.sql", f"SET 'execution.checkpointing.interval' = '{interval}';\n" + ORDERS.format(servers=servers, group=guarantee, bounded=bounded) +
                 f"CREATE TABLE copies (event_id BIGINT, region STRING, amount BIGINT, ingest_time TIMESTAMP(3)) WITH ('connector' = 'kafka', 'topic' = 'copies-{guarantee}',"
                 f" 'properties.bootstrap.servers' = '{servers}', 'sink.delivery-guarantee' = '{guarantee}', 'sink.transactional-id-prefix' = 'copy', 'format' = 'json');\n"
                 "INSERT INTO copies SELECT event_id, region, amount, ingest_time FROM orders;\n")


def guarantees(args):
    say("guarantee        Mrows/CPU-s   delay p50     p99   kills  given twice  lost")
    for guarantee in ("at-least-once", "exactly-once"):
        directory = fresh(guarantee)
        servers = f"127.0.0.1:{free_port()}"
        broker = start_broker(directory, servers, f"copies-{guarantee}")
        # Its speed, on what is already there.
        run("gen", "order", "--seed", args.seed, "--count", 1_000_000, "--to", f"kafka://{servers}/orders")
        _, cpu = run("run", copy_job(directory, servers, guarantee, "1 s", BOUNDED), "--state", f"{directory}/state-speed")
        # Its delay and what kills cost, live: in a broker of its own.
        stop(broker)
        shutil.rmtree(f"{directory}/log")
        broker = start_broker(directory, servers, f"copies-{guarantee}")
        sql = copy_job(directory, servers, guarantee, "1 s")
        generator = start("gen", "order", "--live", "--tps", 1000, "--to", f"kafka://{servers}/orders")
        time.sleep(1)
        job = start("run", sql, "--state", f"{directory}/state", log=f"{directory}/job.log")
        time.sleep(2)
        reader = Reader(servers, f"copies-{guarantee}")
        time.sleep(20)
        delays = reader.delays[5000:]
        rng = random.Random(args.seed)
        for _ in range(args.kills):
            time.sleep(rng.uniform(1, 3))
            stop(job, signal.SIGKILL)
            job = start("run", sql, "--state", f"{directory}/state", log=f"{directory}/job.log")
        time.sleep(3)
        stop(generator)
        sent = len(rows(ORDERS.format(servers=servers, group="count", bounded=BOUNDED) + "SELECT event_id FROM orders"))
        limit = time.monotonic() + 30
        while time.monotonic() < limit and (len(set(reader.ids)) < sent or time.monotonic() - reader.last < 3):
            time.sleep(0.2)
        reader.over = True
        reader.join()
        stop(job)
        stop(broker)
        say(f"{guarantee:<16} {1 / cpu:11.2f} {quantile(delays, .5) * 1000:8.0f} ms {quantile(delays, .99) * 1000:4.0f} ms {args.kills:5} {len(reader.ids) - len(set(reader.ids)):12} {sent - len(set(reader.ids)):5}   ({sent} records)")


# --- Event time, processing time -----------------------------------------------------------------------------------------------------------------------


def window_job(directory, name, column):
    return write(f"{directory}/{name}.sql", "SET 'execution.checkpointing.interval' = '200 ms';\n" + ORDERS.format(servers=f"embedded:{directory}/log", group=name, bounded="") +
                 f"CREATE TABLE counts (w TIMESTAMP(3), region STRING, n BIGINT) WITH ('connector' = 'kafka', 'topic' = '{name}', 'properties.bootstrap.servers' = 'embedded:{directory}/log',"
                 " 'scan.startup.mode' = 'earliest-offset', 'format' = 'json');\n"
                 f"INSERT INTO counts SELECT window_start, region, COUNT(*) FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR({column}), INTERVAL '5' SECOND)) GROUP BY window_start, window_end, region;\n")


def counts_of(directory, name):
    ddl = (f"CREATE TABLE counts (w TIMESTAMP(3), region STRING, n BIGINT, seen TIMESTAMP_LTZ(3) METADATA FROM 'timestamp') WITH ('connector' = 'kafka', 'topic' = '{name}',"
           f" 'properties.bootstrap.servers' = 'embedded:{directory}/log', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset', 'format' = 'json');\n")
    return collections.Counter({(r["w"], r["region"]): r["n"] for r in rows(ddl + "SELECT w, region, n FROM counts")})


def times(args):
    directory = fresh("time")
    generator = start("gen", "order", "--seed", args.seed, "--live", "--tps", 500, "--disorder", "2s", "--late", 0.01, "--to", f"embedded:{directory}/log/orders")
    time.sleep(1)
    for name, column in (("event", "event_time"), ("processing", "arrived")):
        window_job(directory, name, column)
    jobs = [start("run", f"{directory}/{n}.sql", "--state", f"{directory}/{n}-state", log=f"{directory}/{n}.log") for n in ("event", "processing")]
    time.sleep(60)
    stop(generator)
    time.sleep(8)
    for job in jobs:
        stop(job)
    # The same records once more, by jobs that begin now.
    for name, column in (("event-again", "event_time"), ("processing-again", "arrived")):
        window_job(directory, name, column)
        job = start("run", f"{directory}/{name}.sql", "--state", f"{directory}/{name}-state", log=f"{directory}/{name}.log")
        time.sleep(12)
        stop(job)
    truth = collections.Counter()
    for r in rows(ORDERS.format(servers=f"embedded:{directory}/log", group="truth", bounded=BOUNDED) + "SELECT region, event_time FROM orders"):
        stamp = r["event_time"][:19]
        second = int(stamp[17:19]) // 5 * 5
        truth[f"{stamp[:17]}{second:02d}.000", r["region"]] += 1
    say("time         same counts when run again    counts off the truth of event time, together")
    for name in ("event", "processing"):
        first, again = counts_of(directory, name), counts_of(directory, f"{name}-again")
        both = set(first) | set(again)
        same = sum(1 for k in both if first[k] == again[k])
        # The first and last windows are cut by the start and the end of the run.
        inner = sorted({w for w, _ in truth})[1:-2]
        off = sum(abs(first[k] - n) for k, n in truth.items() if k[0] in inner)
        whole = sum(n for k, n in truth.items() if k[0] in inner)
        say(f"{name:<12} {same:5} of {len(both):5} ({100 * same / len(both):5.1f} %)          {100 * off / whole:6.2f} % of {whole} records")


# --- Tumbling, session ---------------------------------------------------------------------------------------------------------------------------------


def asked(port):
    """What a job says of itself now (status.json is up to a second old); None while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/job", timeout=10) as answer:
            return json.load(answer)
    except OSError:
        return None


def state_of(port):
    """Bytes and entries."""
    s = asked(port)
    return (sum(x["state_bytes"] for x in s["shards"]), sum(x["state_entries"] for x in s["shards"])) if s else (0, 0)


def windows(args):
    directory = fresh("windows")
    run("gen", "order", "--seed", args.seed, "--tps", 500, "--count", 1_000_000, "--keys", 20_000, "--disorder", "2s", "--to", f"embedded:{directory}/log/orders")
    say("window                 Mrows/CPU-s  largest state  bytes a window   results")
    for name, window in (("tumbling 1 min", "TUMBLE(TABLE orders, DESCRIPTOR(event_time), INTERVAL '1' MINUTE)"), ("session gap 30 s", "SESSION(TABLE orders PARTITION BY user_id, DESCRIPTOR(event_time), INTERVAL '30' SECOND)")):
        short = name.split()[0]
        sql = write(f"{directory}/{short}.sql", "SET 'execution.checkpointing.interval' = '50 ms';\n" + ORDERS.format(servers=f"embedded:{directory}/log", group=short, bounded=BOUNDED) +
                    f"CREATE TABLE out (s TIMESTAMP(3), e TIMESTAMP(3), user_id BIGINT, n BIGINT) WITH ('connector' = 'kafka', 'topic' = '{short}', 'properties.bootstrap.servers' = 'embedded:{directory}/log',"
                    f" 'scan.startup.mode' = 'earliest-offset', {BOUNDED} 'format' = 'json');\nINSERT INTO out SELECT window_start, window_end, user_id, COUNT(*) FROM TABLE({window}) GROUP BY window_start, window_end, user_id;\n")
        most = (0, 0)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        port = free_port()
        job = start("run", sql, "--state", f"{directory}/{short}-state", "--serve", port, log=f"{directory}/{short}.log")
        while job.poll() is None:
            most = max(most, state_of(port))
            time.sleep(0.01)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        table = sql and open(sql, encoding="ascii").read().split("CREATE TABLE out")[1].split(";\n")[0]
        results = rows(f"CREATE TABLE out{table};\nSELECT COUNT(*) AS n FROM out")[-1]["n"]
        say(f"{name:<22} {1 / cpu:11.2f} {most[0] / 1e6:11.2f} MB {most[0] / max(1, most[1]):15.0f}   {results}")
        if short == "session":
            split = rows(f"CREATE TABLE out{table};\nSELECT COUNT(*) AS n FROM out WHERE n > 1 AND FLOOR(s TO MINUTE) <> FLOOR((e - INTERVAL '30' SECOND) TO MINUTE)")[-1]["n"]
            several = rows(f"CREATE TABLE out{table};\nSELECT COUNT(*) AS n FROM out WHERE n > 1")[-1]["n"]
            say(f"sessions of more than one order that a tumbling minute cuts in two: {split} of {several} ({100 * split / several:.1f} %)")


# --- Local, external state -----------------------------------------------------------------------------------------------------------------------------


def state(args):
    directory = fresh("state")
    keys = 500_000
    run("gen", "order", "--seed", args.seed, "--count", 2_000_000, "--keys", keys, "--to", f"embedded:{directory}/log/orders")
    say("state                              operations   a CPU-second        recovery")
    base = None
    for name, settings in (("none (the same rows, filtered)", {}), ("local, memory", {}), ("local, RocksDB", {"state.backend.type": "rocksdb"})):
        query = ("SELECT user_id, amount FROM orders WHERE amount < 0" if base is None else "SELECT user_id, SUM(amount) FROM orders GROUP BY user_id")
        short = name.split()[-1].strip(")").lower()
        key = "" if base is None else ", PRIMARY KEY (user_id) NOT ENFORCED"
        text = "".join(f"SET '{k}' = '{v}';\n" for k, v in settings.items()) + "SET 'execution.checkpointing.interval' = '100 ms';\n"
        sql = write(f"{directory}/{short}.sql", text + ORDERS.format(servers=f"embedded:{directory}/log", group=short, bounded=BOUNDED) +
                    f"CREATE TABLE out (user_id BIGINT, amount BIGINT{key}) WITH ('connector' = 'blackhole');\nINSERT INTO out {query};\n")
        _, cpu = run("run", sql, "--state", f"{directory}/{short}-state")
        if base is None:
            base = cpu
            say(f"{name:<34} {'-':>10} {2_000_000 / cpu / 1e6:9.2f} M rows")
            continue
        live = write(f"{directory}/{short}-live.sql", open(sql, encoding="ascii").read().replace(BOUNDED, ""))
        path = f"{directory}/{short}-live"
        feed = start("gen", "order", "--live", "--tps", 200, "--keys", keys, "--to", f"embedded:{directory}/log/orders")
        port = free_port()
        job = start("run", live, "--state", path, "--serve", port)
        while (asked(port) or {"rows_in": 0})["rows_in"] < 2_000_000:
            if job.poll() is not None:
                raise SystemExit(f"the job of {live} ended by itself")
            time.sleep(0.05)
        time.sleep(2.5)
        stop(job, signal.SIGKILL)
        began = time.monotonic()
        job = start("run", live, "--state", path, "--serve", port)
        while (asked(port) or {"epochs": {"completed": 0}})["epochs"]["completed"] == 0:
            time.sleep(0.005)
        took = time.monotonic() - began
        stop(job)
        stop(feed)
        say(f"{name:<34} {2_000_000:10} {2_000_000 / max(1e-9, cpu - base) / 1e6:9.2f} M updates {took:8.2f} s   (state of {keys} keys)")
    if not shutil.which("redis-server"):
        say("external, Redis: redis-server is not installed")
        return
    port = free_port()
    server = subprocess.Popen(["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "yes", "--dir", directory], stdout=subprocess.DEVNULL)
    time.sleep(1)
    for clients, label in ((1, "one at a time"), (16, "16 at a time")):
        done = subprocess.run(["redis-benchmark", "-p", str(port), "-t", "incr", "-n", "200000", "-r", str(keys), "-c", str(clients), "--csv"], capture_output=True, text=True, check=True)
        values = next(line for line in done.stdout.splitlines() if line.startswith('"INCR"')).replace('"', "").split(",")
        say(f"external, Redis, {label:<17} {200_000:10} {float(values[1]) / 1e6:9.2f} M updates/s of time, p50 {values[4]} ms, p99 {values[6]} ms")
    server.terminate()
    server.wait()
    began = time.monotonic()
    server = subprocess.Popen(["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "yes", "--dir", directory], stdout=subprocess.DEVNULL)
    while subprocess.run(["redis-cli", "-p", str(port), "ping"], capture_output=True, text=True).stdout.strip() != "PONG":
        time.sleep(0.005)
    say(f"external, Redis: a job that comes back has nothing to read; the store itself, started again: {time.monotonic() - began:.2f} s")
    server.terminate()
    server.wait()


PARTS = {"guarantees": guarantees, "time": times, "windows": windows, "state": state}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--kills", type=int, default=10)
    args = p.parse_args()
    for part in args.parts or PARTS:
        PARTS[part](args)
        say()


if __name__ == "__main__":
    main()
