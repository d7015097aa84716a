"""The pipelines of examples/ that read orders, users, dispatches and requests: killed at random moments, their results equal a truth worked out here from the generator's records.

applications.py [--kills N] [--seed S] [NAME..]
"""
import argparse
import bisect
import collections
import datetime
import json
import os
import random
import re
import shutil

import supyo

MINUTE = 60_000
EPOCH = datetime.datetime(1970, 1, 1)


def ms(text):
    return (datetime.datetime.fromisoformat(text) - EPOCH) // datetime.timedelta(milliseconds=1)


def text(millis):
    return (EPOCH + datetime.timedelta(milliseconds=millis)).isoformat(" ", "milliseconds")


class Application:
    """One pipeline: its topics are generated, and read back to where they end."""

    def __init__(self, name, seed):
        self.name, self.seed = name, seed
        self.work = os.path.abspath(f"build/e2e/{name}")
        shutil.rmtree(self.work, ignore_errors=True)
        os.makedirs(self.work)
        sql = open(f"examples/{name}/pipeline.sql", encoding="utf-8").read()
        sql = sql.replace("'connector' = 'upsert-kafka',", "'connector' = 'upsert-kafka', 'scan.bounded.mode' = 'latest-offset',")
        self.sql = re.sub(r"'scan.startup.mode' = 'earliest-offset'", "'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset'", sql)
        with open(f"{self.work}/pipeline.sql", "w", encoding="utf-8") as f:
            f.write(self.sql)

    def gen(self, domain, topic, *options):
        """The records, in the order in which they lie in the topic."""
        options = [domain, "--seed", self.seed, *options]
        supyo.run("gen", *options, "--to", f"embedded:{self.work}/log/{topic}")
        return [json.loads(line) for line in supyo.run("gen", *options).stdout.splitlines()]

    def run(self, rng, kills):
        def command(data=self.work):
            return ["run", f"{self.work}/pipeline.sql", "--var", f"DATA={data}", "--state", f"{data}/state", "--set", "execution.checkpointing.interval=20ms",
                    "--set", f"parallelism.default={rng.choice([1, 2])}"]
        # How long it takes undisturbed, with topics of its own: the kills come within that.
        shutil.copytree(f"{self.work}/log", f"{self.work}/undisturbed/log")
        took = supyo.timed(lambda: supyo.run(*command(f"{self.work}/undisturbed")))
        killed = 0
        while killed < kills and not supyo.run_killed(command(), rng, 0.02, max(0.05, 0.8 * took)):
            killed += 1
        # The objectives are those of live times, and these are years ago: what they come to is not the question, that they can be judged is.
        verdict = supyo.run(*command(), "--slo", f"examples/{self.name}/slo.yaml", check=False).returncode
        assert verdict in (0, 3, 4), f"run --slo ended with {verdict}"
        return killed

    def rows(self, table):
        """What is left of a result topic's changes."""
        ddl = re.search(rf"CREATE TABLE {table} \(.*?\n\) WITH \(.*?\n\);", self.sql, re.S).group(0).replace("${DATA}", self.work)
        done = supyo.run("sql", "--format", "changelog", "-e", f"{ddl} SELECT * FROM {table}")
        left = collections.Counter()
        for line in done.stdout.splitlines():
            if line.startswith("{"):
                row = json.loads(line)
                op = row.pop("op")
                left[tuple(row.values())] += 1 if op in ("+I", "+U") else -1
        assert all(n >= 0 for n in left.values()), f"{table} takes back what it has not given"
        return sorted((+left).elements(), key=str)

    def late(self, table):
        ddl = re.search(rf"CREATE TABLE {table} \(.*?\n\) WITH \(.*?\n\);", self.sql, re.S).group(0).replace("${DATA}", self.work)
        return supyo.query(f"{ddl} SELECT * FROM `{table}$late`", "--state", f"{self.work}/state")

    def same(self, table, expected):
        found, expected = self.rows(table), sorted(expected, key=str)
        only_found, only_expected = collections.Counter(found) - collections.Counter(expected), collections.Counter(expected) - collections.Counter(found)
        assert found == expected, f"{self.name}.{table} (seed {self.seed}): {len(found)} rows, {len(expected)} expected; only found {list(only_found)[:4]}, only expected {list(only_expected)[:4]}"
        return len(found)


def windows(records, size, slide, bound, visit):
    """visit(start, record) for every window that is not over by the watermark before the record; how often one was."""
    newest, over = None, 0
    for r in records:
        t = ms(r["event_time"])
        start = t // slide * slide
        while start > t - size:
            if newest is None or start + size - 1 > newest - bound:
                visit(start, r)
            else:
                over += 1
            start -= slide
        newest = t if newest is None else max(newest, t)
    return over


def region_orders(app, rng, kills):
    records = app.gen("order", "orders", "--tps", 40, "--count", 40_000, "--disorder", "2s", "--late", 0.01)
    counts = collections.defaultdict(lambda: [0, 0])

    def count(start, r):
        counts[start, r["region"]][0] += 1
        counts[start, r["region"]][1] += r["amount"]

    late = windows(records, MINUTE, MINUTE, 2000, count)
    killed = app.run(rng, kills)
    n = app.same("by_region", [(text(start), region, *sums) for (start, region), sums in counts.items()])
    found = len(app.late("orders"))
    assert found == late > 0, f"{found} late orders kept, {late} expected"
    return f"{n} counts of {len(records)} orders and {late} late ones", killed


def dispatch(app, rng, kills):
    records = app.gen("dispatch", "dispatch-events", "--tps", 40, "--count", 25_000, "--disorder", "10s", "--duplicates", 0.02, "--late", 0.01, "--resend")
    events, orders, counts = {}, {}, collections.defaultdict(lambda: [0, 0, 0])
    for r in records:
        if (r["order_id"], r["event_id"]) not in events:
            events[r["order_id"], r["event_id"]] = r
            counts[ms(r["event_time"]) // MINUTE * MINUTE, r["region"]][["REQUESTED", "REDISPATCHED", "CANCELLED"].index(r["kind"])] += 1
        orders.setdefault(r["order_id"], r)
    killed = app.run(rng, kills)
    n = app.same("dispatches", [tuple(r[c] for c in ("order_id", "event_id", "kind", "region", "rider_id", "event_time")) for r in events.values()])
    alone = app.same("dispatches_by_order_alone", [(r["order_id"], r["event_id"], r["kind"]) for r in orders.values()])
    app.same("by_region", [(text(start), region, *c) for (start, region), c in counts.items()])
    assert not app.late("events"), "nothing comes more than five minutes late"
    return f"{n} events of {len(records)} sent; the order alone for a key drops {n - alone} good ones", killed


def alarm(app, rng, kills):
    records = app.gen("request", "requests", "--tps", 20, "--count", 40_000, "--disorder", "2s")
    counts = collections.defaultdict(lambda: [0, 0])

    def count(start, r):
        counts[start][0] += 1
        counts[start][1] += r["status"] >= 500

    windows(records, 5 * MINUTE, MINUTE, 2000, count)
    killed = app.run(rng, kills)
    rows = [(text(start), text(start + 5 * MINUTE), "order-api", *c) for start, c in counts.items()]
    app.same("error_rate", rows)
    n = app.same("alarms", [(*r, f"order-api: {r[4]} of {r[3]} calls failed until {r[1][11:16]}") for r in rows if r[3] >= 20 and r[4] * 20 >= r[3]])
    assert 0 < n < len(rows)
    return f"{n} alarms in {len(rows)} windows of {len(records)} calls", killed


def orders(app, rng, kills):
    changes = app.gen("user", "users", "--tps", 4, "--count", 3000, "--keys", 500, "--disorder", "2s")
    records = app.gen("order", "orders", "--tps", 40, "--count", 30_000, "--keys", 520, "--disorder", "2s")
    history = collections.defaultdict(list)
    for c in changes:
        history[c["after"]["user_id"]].append((ms(c["after"]["changed"]), c["after"]["grade"]))
    for versions in history.values():
        versions.sort(key=lambda v: v[0])
    counts = collections.defaultdict(lambda: [0, 0])
    for r in records:
        t, versions = ms(r["event_time"]), history[r["user_id"]]
        i = bisect.bisect_right([at for at, _ in versions], t)
        group = counts[versions[i - 1][1] if i else "unknown", t // MINUTE * MINUTE]
        group[0] += 1
        group[1] += r["amount"]
    killed = app.run(rng, kills)
    n = app.same("by_grade", [(grade, text(start), *sums) for (grade, start), sums in counts.items()])
    return f"{n} counts of {len(records)} orders with the {len(changes)} versions of their users", killed


APPLICATIONS = {"region-orders": region_orders, "dispatch": dispatch, "alarm": alarm, "orders": orders}


def main():
    options = argparse.ArgumentParser()
    options.add_argument("names", nargs="*", metavar="NAME", help=", ".join(APPLICATIONS))
    options.add_argument("--kills", type=int, default=4)
    options.add_argument("--seed", type=int, default=random.randrange(10**9))
    args = options.parse_args()
    rng = random.Random(args.seed)
    for name in args.names or APPLICATIONS:
        said, killed = APPLICATIONS[name](Application(name, args.seed), rng, args.kills)
        print(f"{name}: {said}, equal to the truth after {killed} kills (seed {args.seed})", flush=True)


if __name__ == "__main__":
    main()
