"""The batch that document 004 comes from, and how late its alarms are: calls go into a table of PostgreSQL as they happen, every period a run of `supyo run` reads the period's rows, applies the alarm's
rule, and writes what it finds into another table, which a reader looks at. Bursts of errors begin evenly spread over the period. From a burst's begin until the reader has its alarm: half a period and a run in
the mean (lab `alarm-latency` has the same in virtual time, where a run's cost is declared; here it is measured).

alarm_batch.py [--period S] [--bursts N] [--rate R] [--within SHARE]      real time: two periods a burst, half of them with three times the calls. Status 4: the machine did not keep the schedule, nothing is proved
"""
import argparse
import json
import os
import random
import shutil
import statistics
import sys
import threading
import time

import supyo
from postgres import Postgres

WORK = os.path.abspath("build/e2e/alarm-batch")
WINDOW_MS, BURST_S, TURN_S = 2000, 4.0, 0.05
USUAL, BURST = 0.005, 0.6      # share of calls that fail
LATE_S = 0.5                   # a feeder or a batch that is later than that is not what was to be measured
TABLES = """
CREATE TABLE requests (id BIGINT PRIMARY KEY, at_ms BIGINT NOT NULL, status INTEGER NOT NULL);
CREATE INDEX requests_at ON requests (at_ms);
CREATE TABLE alarms (window_ms BIGINT PRIMARY KEY, calls BIGINT NOT NULL, errors BIGINT NOT NULL);
"""
BATCH = """
CREATE TABLE requests (id BIGINT, at_ms BIGINT, status INT) WITH ({where}, 'table-name' = 'requests',
  'scan.partition.column' = 'at_ms', 'scan.partition.num' = '1', 'scan.partition.lower-bound' = '${{FROM}}', 'scan.partition.upper-bound' = '${{TO}}');
CREATE TABLE alarms (window_ms BIGINT, calls BIGINT, errors BIGINT, PRIMARY KEY (window_ms) NOT ENFORCED) WITH ({where}, 'table-name' = 'alarms');
INSERT INTO alarms
SELECT at_ms - MOD(at_ms, {window}), COUNT(*), COUNT(*) FILTER (WHERE status >= 500)
FROM requests
GROUP BY at_ms - MOD(at_ms, {window})
HAVING COUNT(*) >= 20 AND COUNT(*) FILTER (WHERE status >= 500) * 100 >= 5 * COUNT(*);
"""


class Feeder(threading.Thread):
    """Inserts what is due, through one psql that stays open; an event's time is when it is due."""

    def __init__(self, db, start_s, end_s, rate, bursts, rng):
        super().__init__(daemon=True)
        self.start_s, self.end_s, self.rate, self.bursts, self.rng = start_s, end_s, rate, bursts, rng
        self.sent, self.latest, self.error = 0, 0.0, None
        self.psql = db.session()

    def calls(self):
        """Due times and statuses; from the middle on three times as many."""
        at, middle = self.start_s, (self.start_s + self.end_s) / 2
        while at < self.end_s:
            burst = any(b <= at < b + BURST_S for b in self.bursts)
            yield at, 500 if self.rng.random() < (BURST if burst else USUAL) else 200
            at += 1 / (self.rate if at < middle else 3 * self.rate)

    def run(self):
        try:
            rows = []
            for at, status in self.calls():
                if at > time.time():
                    self.flush(rows)
                    rows = []
                    while at > time.time():
                        time.sleep(TURN_S / 2)
                rows.append((self.sent, round(at * 1000), status))
                self.sent += 1
            self.flush(rows)
        except Exception as e:   # told by the one who waits for us
            self.error = e

    def flush(self, rows):
        if not rows:
            return
        self.psql.run("INSERT INTO requests VALUES " + ",".join(f"({i},{at},{status})" for i, at, status in rows) + ";")
        self.latest = max(self.latest, time.time() - rows[0][1] / 1000)


class Reader(threading.Thread):
    """Looks for new alarms all the time, as a page that a person looks at does."""

    def __init__(self, db):
        super().__init__(daemon=True)
        self.psql, self.seen, self.ended, self.error = db.session(), {}, False, None

    def run(self):
        try:
            while not self.ended:
                for line in self.psql.run("SELECT window_ms FROM alarms;"):
                    self.seen.setdefault(int(line), time.time())
                time.sleep(TURN_S)
        except Exception as e:
            self.error = e


def run_batches(sql, start_s, period_s, count):
    """A run when each period is over, one after the other: (rows' from, due, began, ended)."""
    runs = []
    for k in range(count):
        due = start_s + (k + 1) * period_s
        time.sleep(max(0.0, due - time.time()))
        began = time.time()
        low, high = round((due - period_s) * 1000), round(due * 1000) - 1
        state = f"{WORK}/state-{k}"
        supyo.run("run", sql, "--var", f"FROM={low}", "--var", f"TO={high}", "--state", state)
        runs.append((due, began, time.time()))
        shutil.rmtree(state, ignore_errors=True)
    return runs


def measure(db, args):
    rng = random.Random(args.seed)
    db.run(TABLES)
    with open(f"{WORK}/batch.sql", "w", encoding="ascii") as f:
        f.write(BATCH.format(where=db.where, window=WINDOW_MS))
    periods = 2 * args.bursts + 1
    start = float(int(time.time() / args.period) + 2) * args.period   # windows begin with periods, none is cut in two
    bursts = [start + 2 * i * args.period + (i + 0.5) / args.bursts * args.period for i in range(args.bursts)]
    feeder, reader = Feeder(db, start, start + periods * args.period, args.rate, bursts, rng), Reader(db)
    feeder.start()
    reader.start()
    runs = run_batches(f"{WORK}/batch.sql", start, args.period, periods)
    feeder.join()
    time.sleep(1)
    reader.ended = True
    reader.join()
    for thread in (feeder, reader):
        if thread.error:
            raise thread.error
    return bursts, feeder, reader, runs


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--period", type=float, default=10)
    p.add_argument("--bursts", type=int, default=16)
    p.add_argument("--rate", type=float, default=100)
    p.add_argument("--within", type=float, default=0.10)
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    db = Postgres(f"{WORK}/postgres")
    try:
        bursts, feeder, reader, runs = measure(db, args)
        rows = int(db.rows("SELECT COUNT(*) FROM requests")[0][0])
    finally:
        db.stop()
    ours = {w: t for w, t in reader.seen.items() if any(b * 1000 - WINDOW_MS < w < (b + BURST_S) * 1000 for b in bursts)}
    told = [min((t for w, t in ours.items() if b * 1000 - WINDOW_MS < w < (b + BURST_S) * 1000), default=None) for b in bursts]
    delays = [t - b for t, b in zip(told, bursts) if t is not None]
    took = [ended - due for due, _, ended in runs]
    half = len(runs) // 2
    predicted = args.period / 2 + statistics.mean(took)
    result = {"period_s": args.period, "bursts": len(bursts), "missed": told.count(None), "false_alarms": len(reader.seen) - len(ours), "delay_mean_s": round(statistics.mean(delays), 3), "delay_max_s": round(max(delays), 3),
              "predicted_mean_s": round(predicted, 3), "run_mean_s": round(statistics.mean(took), 3), "run_mean_usual_s": round(statistics.mean(took[:half]), 3), "run_mean_surge_s": round(statistics.mean(took[half:]), 3),
              "run_max_s": round(max(took), 3), "rows": rows, "feeder_late_s": round(feeder.latest, 3), "begin_late_s": round(max(began - due for due, began, _ in runs), 3), "load": os.getloadavg()[0]}
    print(json.dumps(result))
    with open(f"{WORK}/result.json", "w", encoding="ascii") as f:
        json.dump({**result, "delays_s": delays, "runs_s": took}, f)
    if result["feeder_late_s"] > LATE_S or result["begin_late_s"] > LATE_S:
        print("INVALID: the machine did not keep the schedule", file=sys.stderr)
        return 4
    assert rows == feeder.sent, f"{rows} rows in the table, {feeder.sent} were sent"
    assert result["missed"] == 0 and result["false_alarms"] == 0, "bursts without an alarm, or alarms without a burst"
    assert abs(result["delay_mean_s"] - predicted) <= args.within * predicted, f"mean delay {result['delay_mean_s']} s, half a period and a run are {predicted:.3f} s"
    assert result["delay_max_s"] <= args.period + result["run_max_s"] + WINDOW_MS / 1000, "longer than a period and a run"
    return 0


if __name__ == "__main__":
    sys.exit(main())
