"""The bank of jamii/streaming-consistency: money moves between ten accounts, so that the total of all balances is 0 whatever has happened so far.

Usage: bank.py [--transfers 200000] [--kills 5] [--seed N]. With 'supyo.output-consistency' = 'cut' every output has to be the query over exactly the transfers before some cut: each says how many they
are, and the truth is worked out for that many. Given out eagerly the same query shows totals that never were; where it does not, this test would prove nothing.
Transfers come in the order of their time, then up to 10 s out of it. Last, the outputs go to a topic and the job is killed again and again: every record in the topic has to be a cut's.
"""
import argparse
import datetime
import json
import os
import random
import re
import shutil
import subprocess
import sys

from confluent_kafka.admin import AdminClient, NewTopic

import supyo

ACCOUNTS = 10
WORK = os.path.abspath("build/e2e/bank")
SQL = """
SET 'parallelism.default' = '{parallelism}';
SET 'execution.checkpointing.interval' = '20 ms';
SET 'supyo.epoch.rows' = '{epoch}';
SET 'supyo.output-consistency' = '{consistency}';
CREATE TABLE arrived (id BIGINT, from_account INT, to_account INT, amount BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'csv');
CREATE VIEW transactions AS SELECT id, from_account, to_account, amount FROM arrived QUALIFY ROW_NUMBER() OVER (PARTITION BY id ORDER BY amount) = 1;
CREATE VIEW credits AS SELECT to_account AS account, SUM(amount) AS credits FROM transactions GROUP BY to_account;
CREATE VIEW debits AS SELECT from_account AS account, SUM(amount) AS debits FROM transactions GROUP BY from_account;
CREATE VIEW balance AS SELECT credits.account, credits - debits AS balance FROM credits JOIN debits ON credits.account = debits.account;
CREATE VIEW total AS SELECT SUM(balance) AS total, k FROM (SELECT balance, 1 AS k FROM balance) GROUP BY k;
CREATE VIEW seen AS SELECT COUNT(*) AS n, k FROM (SELECT 1 AS k FROM arrived) GROUP BY k;
CREATE VIEW outputs AS SELECT seen.k, seen.n, total.total FROM seen JOIN total ON seen.k = total.k;
"""
TOPIC = """
CREATE TABLE told (k INT, n BIGINT, total BIGINT, PRIMARY KEY (k) NOT ENFORCED)
  WITH ('connector' = 'upsert-kafka', 'properties.bootstrap.servers' = '{address}', 'topic' = 'told', 'properties.transaction.timeout.ms' = '600000', 'key.format' = 'json', 'value.format' = 'json');
"""
START = datetime.datetime(2026, 1, 1)


def make(path, transfers, rng, jitter_s):
    """Transfers as they arrive, 200 a second: some twice, and each up to `jitter_s` late. The total of balances after each, over the accounts that have given and taken."""
    rows = []
    for i in range(transfers):
        if rows and rng.random() < 0.1:
            rows.append((*rng.choice(rows[-1000:])[:4], i * 5))
        else:
            rows.append((i, rng.randrange(ACCOUNTS), rng.randrange(ACCOUNTS), rng.randrange(1, 1000), i * 5))
    if jitter_s:
        rows = [row for _, row in sorted((row[4] + rng.uniform(0, jitter_s * 1000), row) for row in rows)]
    truth, credits, debits, known = [None], {}, {}, set()
    for ident, source, target, amount, _ in rows:
        if ident not in known:
            known.add(ident)
            credits[target] = credits.get(target, 0) + amount
            debits[source] = debits.get(source, 0) + amount
        if len(credits) == len(debits) == ACCOUNTS:
            truth.append(sum(credits.values()) - sum(debits.values()))
            continue
        both = credits.keys() & debits.keys()
        truth.append(sum(credits[a] - debits[a] for a in both) if both else None)
    with open(path, "w", encoding="ascii") as f:
        for ident, source, target, amount, ms in rows:
            f.write(f"{ident},{source},{target},{amount},{(START + datetime.timedelta(milliseconds=ms)).isoformat(' ', 'milliseconds')}\n")
    return truth


def outputs(path, **how):
    script = f"{WORK}/bank.sql"
    with open(script, "w", encoding="ascii") as f:
        f.write(SQL.format(path=path, **how) + "SELECT n, total FROM outputs;\n")
    changes = [json.loads(line) for line in supyo.run("sql", "--format", "changelog", "-f", script).stdout.splitlines() if line.startswith("{")]
    return [(c["n"], c["total"]) for c in changes if c["op"] in ("+I", "+U")]


def killed(path, truth, kills, epoch, rng):
    """The job that writes to a topic, killed; parallelism changes from one start to the next. Where it ends before that, once more, and killed sooner."""
    transfers, window = len(truth) - 1, 2 + (len(truth) - 1) / 100_000
    while True:
        done, rows = campaign(path, kills, epoch, rng, window)
        if done >= min(kills, 2):
            break
        window /= 2
        assert window > 0.05, "it ends before it can be killed"
    wrong = [(n, total, truth[n]) for n, total in rows if total != truth[n]]
    assert not wrong, f"after {done} kills: {len(wrong)} of {len(rows)} records are no cut's: (n, total, truth) {wrong[:5]}"
    numbers = [n for n, _ in rows]
    assert numbers == sorted(set(numbers)) and numbers[-1] == transfers, f"after {done} kills the records go back, repeat or end early: {[pair for pair in zip(numbers, numbers[1:]) if pair[0] >= pair[1]] or numbers[-1]}"
    print(f"ok {done} kills: {len(rows)} records in the topic, each the query over exactly its prefix, none twice")


def campaign(path, kills, epoch, rng, window):
    """How often the job was killed, each time within so many seconds, and what the topic holds in the end."""
    work = f"{WORK}/killed"
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    broker = subprocess.Popen([supyo.BINARY, "broker", "--data", f"{work}/broker", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    try:
        address = re.search(r"broker at (\S+),", broker.stdout.readline()).group(1)
        admin = AdminClient({"bootstrap.servers": address})
        admin.create_topics([NewTopic("told", 1)])["told"].result()
        topic, done = TOPIC.format(address=address), 0
        while True:
            with open(f"{work}/job.sql", "w", encoding="ascii") as f:
                f.write(SQL.format(path=path, parallelism=rng.choice([1, 2, 4]), epoch=epoch, consistency="cut") + topic + "INSERT INTO told SELECT k, n, total FROM outputs;\n")
            command = ["run", f"{work}/job.sql", "--state", f"{work}/state"]
            if done >= kills:
                supyo.run(*command, timeout=300)
                break
            if supyo.run_killed(command, rng, 0.02, window):
                break
            done += 1
        read = topic.replace("'topic' = 'told'", "'topic' = 'told', 'properties.isolation.level' = 'read_committed', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset'").replace("upsert-kafka", "kafka").replace(
            ", PRIMARY KEY (k) NOT ENFORCED", "").replace("'key.format' = 'json', 'value.format'", "'format'")
        return done, [(row["n"], row["total"]) for row in supyo.query(read + "SELECT n, total FROM told;")]
    finally:
        broker.terminate()
        broker.wait()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--transfers", type=int, default=200_000)
    p.add_argument("--kills", type=int, default=5)
    p.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    args = p.parse_args()
    os.makedirs(WORK, exist_ok=True)
    path, rng = f"{WORK}/transfers.csv", random.Random(args.seed)
    epoch = max(100, args.transfers // 200)
    for jitter_s in (0, 10):
        truth = make(path, args.transfers, rng, jitter_s)
        print(f"seed {args.seed}, {args.transfers} transfers, up to {jitter_s} s late, the last total {truth[args.transfers]}")
        for parallelism in (1, 4):
            rows = outputs(path, parallelism=parallelism, epoch=epoch, consistency="cut")
            wrong = [(n, total, truth[n]) for n, total in rows if total != truth[n]]
            assert not wrong, f"parallelism {parallelism}: {len(wrong)} of {len(rows)} outputs are no cut's: (n, total, truth) {wrong[:5]}"
            assert len(rows) >= 4 and rows[-1][0] == args.transfers, (len(rows), rows[-1])
            print(f"ok parallelism {parallelism}: {len(rows)} outputs, each the query over exactly its prefix", flush=True)
    killed(path, truth, args.kills, epoch, rng)
    rows = outputs(path, parallelism=4, epoch=epoch, consistency="eager")
    wrong = sum(1 for n, total in rows if total != truth[n])
    assert rows[-1] == (args.transfers, truth[args.transfers]), rows[-1]
    assert wrong > 0, "given out eagerly every output was consistent, too: this proves nothing"
    print(f"eager: {wrong} of {len(rows)} outputs show what never was; the last is right")


if __name__ == "__main__":
    sys.exit(main())
