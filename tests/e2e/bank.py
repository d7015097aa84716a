"""The bank of jamii/streaming-consistency: money moves between ten accounts, so that the total of all balances is 0 whatever has happened so far.

Usage: bank.py [--transfers 200000] [--seed N]. With 'supyo.output-consistency' = 'cut' every output has to be the query over exactly the transfers before some cut: each says how many they
are, and the truth is worked out for that many. Given out eagerly the same query shows totals that never were; where it does not, this test would prove nothing.
"""
import argparse
import json
import os
import random
import sys

import supyo

ACCOUNTS = 10
WORK = os.path.abspath("build/e2e/bank")
SQL = """
SET 'parallelism.default' = '{parallelism}';
SET 'execution.checkpointing.interval' = '20 ms';
SET 'supyo.epoch.rows' = '{epoch}';
SET 'supyo.output-consistency' = '{consistency}';
CREATE TABLE arrived (id BIGINT, from_account INT, to_account INT, amount BIGINT) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'csv');
CREATE VIEW transactions AS SELECT id, from_account, to_account, amount FROM arrived QUALIFY ROW_NUMBER() OVER (PARTITION BY id ORDER BY amount) = 1;
CREATE VIEW credits AS SELECT to_account AS account, SUM(amount) AS credits FROM transactions GROUP BY to_account;
CREATE VIEW debits AS SELECT from_account AS account, SUM(amount) AS debits FROM transactions GROUP BY from_account;
CREATE VIEW balance AS SELECT credits.account, credits - debits AS balance FROM credits JOIN debits ON credits.account = debits.account;
CREATE VIEW total AS SELECT SUM(balance) AS total, 1 AS k FROM balance;
CREATE VIEW seen AS SELECT COUNT(*) AS n, 1 AS k FROM arrived;
SELECT seen.n, total.total FROM seen JOIN total ON seen.k = total.k;
"""


def make(path, transfers, rng):
    """Transfers as they arrive: some twice. The total of balances after each, over the accounts that have given and taken."""
    rows, truth = [], [None]
    credits, debits, known = {}, {}, set()
    for i in range(transfers):
        if rows and rng.random() < 0.1:
            rows.append(rng.choice(rows[-1000:]))
        else:
            rows.append((i, rng.randrange(ACCOUNTS), rng.randrange(ACCOUNTS), rng.randrange(1, 1000)))
        ident, source, target, amount = rows[-1]
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
        f.writelines(",".join(map(str, row)) + "\n" for row in rows)
    return truth


def outputs(path, **how):
    script = f"{WORK}/bank.sql"
    with open(script, "w", encoding="ascii") as f:
        f.write(SQL.format(path=path, **how))
    changes = [json.loads(line) for line in supyo.run("sql", "--format", "changelog", "-f", script).stdout.splitlines() if line.startswith("{")]
    return [(c["n"], c["total"]) for c in changes if c["op"] in ("+I", "+U")]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--transfers", type=int, default=200_000)
    p.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    args = p.parse_args()
    os.makedirs(WORK, exist_ok=True)
    path = f"{WORK}/transfers.csv"
    truth = make(path, args.transfers, random.Random(args.seed))
    print(f"seed {args.seed}, {args.transfers} transfers, the last total {truth[args.transfers]}")
    epoch = max(100, args.transfers // 200)
    for parallelism in (1, 4):
        rows = outputs(path, parallelism=parallelism, epoch=epoch, consistency="cut")
        wrong = [(n, total, truth[n]) for n, total in rows if total != truth[n]]
        assert not wrong, f"parallelism {parallelism}: {len(wrong)} of {len(rows)} outputs are no cut's: (n, total, truth) {wrong[:5]}"
        assert len(rows) >= 4 and rows[-1][0] == args.transfers, (len(rows), rows[-1])
        print(f"ok parallelism {parallelism}: {len(rows)} outputs, each the query over exactly its prefix")
    rows = outputs(path, parallelism=4, epoch=epoch, consistency="eager")
    wrong = sum(1 for n, total in rows if total != truth[n])
    assert rows[-1] == (args.transfers, truth[args.transfers]), rows[-1]
    assert wrong > 0, "given out eagerly every output was consistent, too: this proves nothing"
    print(f"eager: {wrong} of {len(rows)} outputs show what never was; the last is right")


if __name__ == "__main__":
    sys.exit(main())
