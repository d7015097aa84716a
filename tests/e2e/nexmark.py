"""Nexmark's queries against a truth that DuckDB works out from the same events. Usage: nexmark.py [--events 60000] [--seed N] [--only q5]

The events are read out of the tables person, auction and bid; the queries' results are compacted from their changelogs. One event a millisecond, so that no two have the same time.
"""
import argparse
import collections
import datetime
import decimal
import glob
import json
import os
import random
import shutil
import sys

import duckdb

import supyo

QUERIES = "bench/nexmark"
WORK = os.path.abspath("build/e2e/nexmark")
SIDE_INPUT = f"{WORK}/side_input.txt"
HOPS = "(SELECT *, UNNEST([0, 2000, 4000, 6000, 8000]) AS back FROM (SELECT *, epoch_ms(\"dateTime\") AS ms FROM bid))"
PRICES = """COUNT(*) AS total_bids, COUNT(*) FILTER (price < 10000) AS rank1_bids, COUNT(*) FILTER (price >= 10000 AND price < 1000000) AS rank2_bids,
            COUNT(*) FILTER (price >= 1000000) AS rank3_bids"""


def distinct(column):
    return f"""COUNT(DISTINCT {column}) AS total_{column}s, COUNT(DISTINCT {column}) FILTER (price < 10000) AS rank1_{column}s,
               COUNT(DISTINCT {column}) FILTER (price >= 10000 AND price < 1000000) AS rank2_{column}s, COUNT(DISTINCT {column}) FILTER (price >= 1000000) AS rank3_{column}s"""


EUROS = "CAST(price * 908 AS DECIMAL(23, 0)) * 0.001"
CHANNEL = "NULLIF(regexp_extract(url, '(&|^)channel_id=([^&]*)', 2), '')"
TRUTH = {
    "q0": "SELECT auction, bidder, price, \"dateTime\", extra FROM bid",
    "q1": f"SELECT auction, bidder, {EUROS} AS price, \"dateTime\", extra FROM bid",
    "q2": "SELECT auction, price FROM bid WHERE auction % 123 = 0",
    "q3": "SELECT p.name, p.city, p.state, a.id FROM auction a JOIN person p ON a.seller = p.id WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')",
    "q4": """SELECT category, SUM(final) // COUNT(*) AS "EXPR$1" FROM (
               SELECT MAX(b.price) AS final, a.category FROM auction a JOIN bid b ON a.id = b.auction AND b."dateTime" BETWEEN a."dateTime" AND a.expires GROUP BY a.id, a.category)
             GROUP BY category""",
    "q5": f"""SELECT auction, num FROM (
                SELECT auction, num, MAX(num) OVER (PARTITION BY start) AS most FROM (SELECT auction, ms // 2000 * 2000 - back AS start, COUNT(*) AS num FROM {HOPS} GROUP BY ALL))
              WHERE num = most""",
    # Of two equal highest bids the first wins.
    "q6": """SELECT seller, SUM(price) OVER last // COUNT(*) OVER last AS "EXPR$1" FROM (
               SELECT a.seller, b.price, b."dateTime" FROM auction a JOIN bid b ON a.id = b.auction AND b."dateTime" BETWEEN a."dateTime" AND a.expires
               QUALIFY ROW_NUMBER() OVER (PARTITION BY a.id ORDER BY b.price DESC, b."dateTime") = 1)
             WINDOW last AS (PARTITION BY seller ORDER BY "dateTime" ROWS BETWEEN 10 PRECEDING AND CURRENT ROW)""",
    "q7": """WITH highest AS (SELECT MAX(price) AS price, (epoch_ms("dateTime") // 10000 + 1) * 10000 AS ends FROM bid GROUP BY ends)
             SELECT auction, b.price, bidder, "dateTime", extra FROM bid b JOIN highest h ON b.price = h.price AND epoch_ms(b."dateTime") BETWEEN h.ends - 10000 AND h.ends""",
    "q8": """SELECT id, name, make_timestamp_ms(w * 10000) AS starttime FROM (SELECT DISTINCT id, name, epoch_ms("dateTime") // 10000 AS w FROM person)
             JOIN (SELECT DISTINCT seller, epoch_ms("dateTime") // 10000 AS w FROM auction) a USING (w) WHERE id = seller""",
    "q9": """SELECT id, itemName, description, initialBid, reserve, "dateTime", expires, seller, category, extra, auction, bidder, price, bid_dateTime, bid_extra FROM (
               SELECT a.*, b.auction, b.bidder, b.price, b."dateTime" AS bid_dateTime, b.extra AS bid_extra FROM auction a JOIN bid b ON a.id = b.auction AND b."dateTime" BETWEEN a."dateTime" AND a.expires
               QUALIFY ROW_NUMBER() OVER (PARTITION BY a.id ORDER BY b.price DESC, b."dateTime") = 1)""",
    "q11": """SELECT bidder, COUNT(*) AS bid_count, MIN("dateTime") AS starttime, MAX("dateTime") + INTERVAL 10 SECOND AS endtime FROM (
                SELECT *, SUM(new) OVER (PARTITION BY bidder ORDER BY "dateTime") AS session FROM (
                  SELECT *, CASE WHEN "dateTime" - LAG("dateTime") OVER (PARTITION BY bidder ORDER BY "dateTime") <= INTERVAL 10 SECOND THEN 0 ELSE 1 END AS new FROM bid))
              GROUP BY bidder, session""",
    # Which window a bid comes in is the clock's to say; that it comes in one is not.
    "q12": "SELECT bidder, COUNT(*) AS bid_count FROM bid GROUP BY bidder",
    "q13": f"SELECT auction, bidder, price, \"dateTime\", s.value FROM bid JOIN read_csv('{SIDE_INPUT}', header = false, columns = {{'key': 'BIGINT', 'value': 'VARCHAR'}}) s ON auction % 10000 = s.key",
    "q14": f"""SELECT auction, bidder, {EUROS} AS price, CASE WHEN hour("dateTime") BETWEEN 8 AND 18 THEN 'dayTime' WHEN hour("dateTime") <= 6 OR hour("dateTime") >= 20 THEN 'nightTime' ELSE 'otherTime' END AS bidTimeType,
                 "dateTime", extra, length(extra) - length(replace(extra, 'c', '')) AS c_counts FROM bid WHERE price * 908 > 1000000000 AND price * 908 < 50000000000""",
    "q15": f"SELECT strftime(\"dateTime\", '%Y-%m-%d') AS day, {PRICES}, {distinct('bidder')}, {distinct('auction')} FROM bid GROUP BY day",
    "q16": f"SELECT channel, strftime(\"dateTime\", '%Y-%m-%d') AS day, MAX(strftime(\"dateTime\", '%H:%M')) AS minute, {PRICES}, {distinct('bidder')}, {distinct('auction')} FROM bid GROUP BY channel, day",
    "q17": f"""SELECT auction, strftime("dateTime", '%Y-%m-%d') AS day, {PRICES}, MIN(price) AS min_price, MAX(price) AS max_price, SUM(price) // COUNT(*) AS avg_price, SUM(price) AS sum_price
               FROM bid GROUP BY auction, day""",
    "q18": "SELECT auction, bidder, price, channel, url, \"dateTime\", extra FROM bid QUALIFY ROW_NUMBER() OVER (PARTITION BY bidder, auction ORDER BY \"dateTime\" DESC) = 1",
    # Which of two equal bids goes before the other is nobody's to say: only what all orders share.
    "q19": "SELECT auction, price, place FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) AS place FROM bid) WHERE place <= 10",
    "q20": """SELECT auction, bidder, price, channel, url, b."dateTime" AS bid_dateTime, b.extra AS bid_extra, itemName, description, initialBid, reserve, a."dateTime" AS auction_dateTime, expires, seller,
                category, a.extra AS auction_extra FROM bid b JOIN auction a ON b.auction = a.id WHERE a.category = 10""",
    "q21": f"""SELECT auction, bidder, price, channel, CASE lower(channel) WHEN 'apple' THEN '0' WHEN 'google' THEN '1' WHEN 'facebook' THEN '2' WHEN 'baidu' THEN '3' ELSE {CHANNEL} END AS channel_id
               FROM bid WHERE {CHANNEL} IS NOT NULL OR lower(channel) IN ('apple', 'google', 'facebook', 'baidu')""",
    "q22": "SELECT auction, bidder, price, channel, split_part(url, '/', 4) AS dir1, split_part(url, '/', 5) AS dir2, split_part(url, '/', 6) AS dir3 FROM bid",
    "q23": """SELECT bidder, price, channel, url, b.extra AS bid_extra, p.id AS person_id, name, emailAddress, creditCard, city, state, p.extra AS person_extra, itemName, description, initialBid, reserve,
                a."dateTime" AS auction_dateTime, expires, seller, category, a.extra AS auction_extra FROM bid b JOIN person p ON p.id = b.bidder JOIN auction a ON a.seller = b.bidder""",
}


def plain(value):
    if isinstance(value, decimal.Decimal):
        return f"{value:.3f}"
    if hasattr(value, "strftime"):
        return value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03}"
    return value


def text(name):
    with open(f"{QUERIES}/{name}.sql", encoding="ascii") as f:
        return f.read()


def compacted(lines, columns):
    rows = collections.Counter()
    for line in lines:
        row = json.loads(line, parse_float=decimal.Decimal)
        rows[tuple(plain(row[c]) for c in columns)] += 1 if row.pop("op") in ("+I", "+U") else -1
    if any(n < 0 for n in rows.values()):
        raise AssertionError("a row is taken back that was not given")
    return +rows


def files(db, variables):
    """q10: what lies in the folders are the bids, each in that of its minute, and every folder says that it is complete."""
    out = f"{WORK}/q10"
    shutil.rmtree(out, ignore_errors=True)
    path = f"{WORK}/query.sql"
    with open(path, "w", encoding="utf-8") as f:
        f.write(text("tables") + text("q10"))
    supyo.run("run", path, *variables, "--var", f"DIRECTORY={out}")
    differ = db.execute(f"""WITH written AS (SELECT * FROM read_csv('{out}/*/*/part-*.csv', hive_partitioning = true, hive_types_autocast = false, header = false,
                              columns = {{'auction': 'BIGINT', 'bidder': 'BIGINT', 'price': 'BIGINT', 'dateTime': 'TIMESTAMP', 'extra': 'VARCHAR'}})),
                            truth AS (SELECT auction, bidder, price, "dateTime", extra, strftime("dateTime", '%Y-%m-%d') AS dt, strftime("dateTime", '%H:%M') AS hm FROM bid)
                            SELECT (SELECT COUNT(*) FROM written), (SELECT COUNT(*) FROM (FROM written EXCEPT ALL FROM truth)) + (SELECT COUNT(*) FROM (FROM truth EXCEPT ALL FROM written))""")
    rows, wrong = differ.fetchone()
    folders = glob.glob(f"{out}/*/*/")
    unsaid = [f for f in folders if not os.path.exists(f"{f}_SUCCESS")]
    fine = rows > 0 and wrong == 0 and not unsaid
    print(f"{'ok' if fine else 'FAILED'} q10: {rows} rows in {len(folders)} folders, {wrong} differ, {len(unsaid)} folders do not say that they are complete")
    return fine


def over_windows(rows):
    """(bidder, count) of (bidder, count, start, end): all its windows together."""
    totals = collections.Counter()
    for (bidder, count, start, end), times in rows.items():
        start, end = (datetime.datetime.fromisoformat(t) for t in (start, end))
        if end - start != datetime.timedelta(seconds=10) or start.second % 10 or start.microsecond or times != 1:
            raise AssertionError(f"{times} results of the window {start} to {end} of {bidder}")
        totals[bidder] += count
    return collections.Counter(totals.items())


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--events", type=int, default=60_000)
    p.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    p.add_argument("--only", default="")
    args = p.parse_args()
    print(f"seed {args.seed}, {args.events} events")
    os.makedirs(WORK, exist_ok=True)
    with open(SIDE_INPUT, "w", encoding="ascii") as f:
        f.writelines(f"{n},value {n}\n" for n in range(10_000) if n % 7)
    variables = ["--var", f"SIDE_INPUT={SIDE_INPUT}", "--var", f"EVENTS={args.events}", "--var", "TPS=1000", "--var", f"SEED={args.seed}"]

    def changelog(sql):
        path = f"{WORK}/query.sql"
        with open(path, "w", encoding="utf-8") as f:
            f.write(text("tables") + sql)
        return [line for line in supyo.run("sql", *variables, "--format", "changelog", "-f", path).stdout.splitlines() if line.startswith("{")]

    db = duckdb.connect()
    for kind in ("person", "auction", "bid"):
        with open(f"{WORK}/{kind}.json", "w", encoding="utf-8") as f:
            f.write("\n".join(changelog(f"SELECT * FROM {kind};")))
        db.execute(f"CREATE TABLE {kind} AS SELECT * EXCLUDE (op) FROM read_json('{WORK}/{kind}.json', format = 'newline_delimited', timestampformat = '%Y-%m-%d %H:%M:%S.%g')")
        print(f"  {kind}: {db.execute(f'SELECT COUNT(*) FROM {kind}').fetchone()[0]} rows")
    failed = 0
    if args.only in ("", "q10"):
        failed += not files(db, variables)
    for name, truth in TRUTH.items():
        if args.only and name != args.only:
            continue
        cursor = db.execute(truth)
        columns = [d[0] for d in cursor.description]
        want = collections.Counter(tuple(plain(v) for v in row) for row in cursor.fetchall())
        head, _, query = text(name).partition("INSERT INTO ")
        own = "".join(line + "\n" for line in head.splitlines() if line.startswith("CREATE") and not line.startswith("CREATE TABLE out"))
        lines = changelog(own + query.partition("\n")[2])
        got = over_windows(compacted(lines, ["bidder", "bid_count", "starttime", "endtime"])) if name == "q12" else compacted(lines, columns)
        if got != want:
            failed += 1
            print(f"FAILED {name}: {sum(got.values())} rows, the truth has {sum(want.values())}; only here {list((got - want).items())[:3]}, only there {list((want - got).items())[:3]}")
        else:
            print(f"ok {name}: {sum(want.values())} rows from {len(lines)} changes")
            if not want:
                failed += 1
                print(f"FAILED {name}: nothing was compared")
    print(f"nexmark: {len(TRUTH) if not args.only else 1} queries and q10, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
