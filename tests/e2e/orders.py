"""examples/orders: each order counts for the region that its user had when it was placed, exactly once whatever is killed."""
import argparse
import bisect
import collections
import datetime
import os
import random
import shutil

import supyo

WORK = "build/e2e/orders"
PIPELINE = "examples/orders/pipeline.sql"
START = datetime.datetime(2020, 1, 1)
REGIONS = ["north", "south", "east", "west"]


def text(ms):
    return (START + datetime.timedelta(milliseconds=ms)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def shuffled(rows, rng):
    """By time, up to 4 s out of order: the watermark is 5 s behind."""
    return sorted(rows, key=lambda r: r[-1] + rng.randrange(4000))


def write_data(directory, seed, count):
    rng = random.Random(seed)
    users = max(count // 50, 1)
    span = count * 20
    changes = [(u, rng.choice(REGIONS), rng.randrange(span)) for u in range(users) for _ in range(rng.randrange(6))]
    changes = list({(u, at): (u, region, at) for u, region, at in changes}.values())   # one change of a user at a time
    orders = [(i, rng.randrange(users + users // 20 + 1), rng.randrange(1, 1000), rng.randrange(span)) for i in range(count)]
    for name, rows in (("orders.csv", orders), ("users.csv", changes)):
        with open(f"{directory}/{name}", "w") as f:
            for row in shuffled(rows, rng):
                f.write(",".join(map(str, row[:-1])) + "," + text(row[-1]) + "\n")
    return orders, changes


def truth(orders, changes):
    history = collections.defaultdict(list)
    for user, region, at in sorted(changes, key=lambda c: c[2]):
        history[user].append((at, region))
    out = collections.defaultdict(lambda: [0, 0])
    for _, user, amount, placed in orders:
        versions = history[user]
        i = bisect.bisect_right([at for at, _ in versions], placed)
        group = out[(versions[i - 1][1] if i else "unknown", text(placed // 60000 * 60000))]
        group[0] += 1
        group[1] += amount
    return {key: tuple(value) for key, value in out.items()}


def result(directory):
    table = open(PIPELINE).read().split("CREATE TABLE by_region")[1].split(";")[0].replace("${DATA}", directory)
    rows = supyo.query(f"CREATE TABLE by_region{table}; SELECT region, CAST(minute_start AS STRING) AS m, orders, amount FROM by_region")
    out = {}
    for r in rows:
        key = (r["region"], r["m"])
        assert key not in out, f"{key} is there twice"
        out[key] = (r["orders"], r["amount"])
    return out


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--only-data", metavar="DIR", help="write orders.csv and users.csv there, and no more")
    options.add_argument("--count", type=int, default=200000)
    options.add_argument("--kills", type=int, default=0)
    options.add_argument("--seed", type=int, default=1)
    args = options.parse_args()
    directory = args.only_data or WORK
    if not args.only_data:
        shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(directory, exist_ok=True)
    orders, changes = write_data(directory, args.seed, args.count)
    if args.only_data:
        return
    expected = truth(orders, changes)
    run = ["run", PIPELINE, "--var", f"DATA={os.path.abspath(WORK)}", "--state", f"{WORK}/state", "--set", "parallelism.default=2"]
    rng = random.Random(args.seed)
    killed = 0
    while killed < args.kills and not supyo.run_killed(run, rng, 0.05, 0.6):
        killed += 1
    seconds = supyo.timed(lambda: supyo.run(*run))
    found = result(os.path.abspath(WORK))
    wrong = {k: (expected.get(k), found.get(k)) for k in expected.keys() | found.keys() if expected.get(k) != found.get(k)}
    assert not wrong, f"{len(wrong)} of {len(expected)} groups differ (expected, found): {list(wrong.items())[:5]}"
    print(f"orders: {len(expected)} groups of {args.count} orders and {len(changes)} changes of users equal to the truth after {killed} kills; the last run took {seconds:.1f} s")


if __name__ == "__main__":
    main()
