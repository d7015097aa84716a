"""Random queries on random tables, here and in DuckDB: the rows must be the same.

Usage: queries.py [--count 200] [--seed N] [--parallelism 1,3] [--only N] [--no-shrink] [--show]. A query that fails is shrunk and written to build/fuzz as a case for tests/sql."""
import argparse
import collections
import concurrent.futures
import copy
import datetime
import decimal
import json
import os
import random
import re
import subprocess
import sys

try:
    import duckdb
except ImportError:   # against_flink.py has no need of it
    duckdb = None

from expressions import MACROS
from grammar import Grammar
from tables import TABLES, Tables, time_text
from tree import DUCKDB, SUPYO, Node, shrunk

BINARY = os.path.abspath(os.environ.get("SUPYO", "build/release/supyo"))
WORK = os.path.abspath("build/fuzz")
CHUNK = 20          # queries on the same tables, in one process
PATIENCE_S = 60     # for a process; then it hangs

# What Supyo says that it cannot do, and may: number and part of the message.
REFUSED = [("SUPYO-2007", "an interval join over rows that are updated")]   # and so says Flink


class Result:
    """What one side gave: rows as a multiset, or an error."""

    def __init__(self, rows=None, error=None):
        self.rows, self.error = rows, error


class World:
    """Tables, both engines on them, and how Supyo runs."""

    def __init__(self, seed, directory, parallelism):
        rng = random.Random(seed)
        self.directory = directory
        self.tables = Tables(rng, directory)
        self.settings = {"parallelism.default": parallelism, "supyo.batch.rows": rng.choice([1, 3, 7, 4096])}
        if rng.random() < 0.3:
            self.settings["supyo.epoch.rows"] = rng.choice([1, 5])
        self.prepare()

    def prepare(self):
        self.tables.write()
        self.db = duckdb.connect(config={"threads": 1})
        for macro in MACROS.strip().splitlines():
            self.db.execute(macro)
        self.tables.load(self.db)

    def with_rows(self, rows):
        """The same world with other rows, in its own directory."""
        out = copy.copy(self)
        out.tables = copy.copy(self.tables)
        out.tables.rows, out.tables.directory = rows, f"{self.directory}/shrink"
        out.directory = out.tables.directory
        out.prepare()
        return out

    def truth(self, query):
        """DuckDB's rows, and the kinds of its columns."""
        views = []
        text = query.write(DUCKDB, views)
        try:
            if views:
                text = "WITH " + ", ".join(f"{name} AS ({body})" for name, body in views) + " " + text
            cursor = self.db.execute(text)
            kinds = [str(d[1]) for d in cursor.description]
            return Result(collections.Counter(tuple(plain(v, k) for v, k in zip(row, kinds)) for row in cursor.fetchall())), kinds
        except duckdb.Error as e:
            return Result(error=str(e)), []

    def run(self, queries):
        """Supyo's output for each query, as far as it got: lists of JSON objects, an exit status and what it said."""
        sets = "".join(f"SET '{k}' = '{v}';\n" for k, v in self.settings.items())
        script = sets + self.tables.supyo_ddl(self.directory + "/") + "".join(statement(q) + ";\n" for q in queries)
        path = f"{self.directory}/script.sql"
        with open(path, "w", encoding="utf-8") as f:
            f.write(script)
        try:
            done = subprocess.run([BINARY, "sql", "--format", "changelog", "-f", path], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        except subprocess.TimeoutExpired:
            return [], 1, "it hangs"
        return done.stdout.splitlines(), done.returncode, done.stderr.strip()

    def fold(self, lines, kinds):
        """What is left of a query's changelog."""
        return compacted(lines, kinds)

    def results(self, queries, kinds):
        """Supyo's result of each query. A query that fails ends its process; the others are run without it."""
        out = [None] * len(queries)
        first = 0
        while first < len(queries):
            lines, status, said = self.run(queries[first:])
            texts = [q.write(SUPYO, []) for q in queries]
            names = {re.search(r"\bAS (x\d+)", texts[i]).group(1): i for i in range(len(queries) - 1, first - 1, -1)}
            given = collections.defaultdict(list)
            for line in lines:
                if line.startswith("{"):
                    row = json.loads(line, parse_float=decimal.Decimal, object_pairs_hook=list)
                    given[names[row[1][0]]].append(row)
            end = len(queries)
            if status != 0:
                # Somewhere from the last query with rows on.
                end = max(given, default=first)
                while end < len(queries):
                    lines, status, said = self.run([queries[end]])
                    if status != 0:
                        out[end] = Result(error=said or f"status {status}")
                        break
                    given[end] = [json.loads(line, parse_float=decimal.Decimal, object_pairs_hook=list) for line in lines if line.startswith("{")]
                    end += 1
            for i in range(first, min(end, len(queries))):
                out[i] = self.fold(given[i], kinds[i])
            first = end + 1
        return out


def statement(query):
    views = []
    text = query.write(SUPYO, views)
    if len(views) % 2 == 1 or "SYSTEM_TIME" in text:   # views of one query, names in WITH of another
        return "".join(f"CREATE TEMPORARY VIEW {name} AS {body};\n" for name, body in views) + text
    return ("WITH " + ", ".join(f"{name} AS ({body})" for name, body in views) + " " if views else "") + text


def plain(value, kind):
    """A value of either side in one form. A DOUBLE is compared to 12 digits: sums depend on their order."""
    if value is None or isinstance(value, bool):
        return value
    if kind in ("DOUBLE", "FLOAT"):
        return "NaN" if value == "NaN" else f"{float(value) + 0.0:.12g}"
    if isinstance(value, (int, decimal.Decimal)):
        return f"{decimal.Decimal(value).normalize() + 0:f}"
    if isinstance(value, datetime.datetime):
        return time_text(value)
    return str(value)


def compacted(lines, kinds):
    rows = collections.Counter()
    for (_, op), *row in lines:
        key = tuple(plain(v, k) for (_, v), k in zip(row, kinds))
        rows[key] += 1 if op in ("+I", "+U") else -1
        if rows[key] < 0:
            return Result(error=f"it takes back {key}, which it has not given")
    return Result(+rows)


def verdict(got, want):
    """None when the rows are equal, else a class (which must stay while shrinking) and what is wrong."""
    if got.error is not None:
        code = re.search(r"SUPYO-\d+", got.error)
        return (code.group(0) if code else got.error.split(" (")[0][:40]), got.error
    if got.rows == want.rows:
        return None
    return "rows", f"only here {list((got.rows - want.rows).items())[:4]}, only in DuckDB {list((want.rows - got.rows).items())[:4]}"


def judge(world, query):
    want, kinds = world.truth(query)
    if want.error is not None:
        return None
    return verdict(world.results([query], [kinds])[0], want)


def shrink(world, query, wrong):
    same = lambda w, q: (found := judge(w, q)) is not None and found[0] == wrong[0]
    if not same(world.with_rows(world.tables.rows), query):
        return world, query   # only after the queries before it
    world = world.with_rows(world.tables.rows)
    query = shrunk(query, lambda candidate: re.search(r"\bAS (x\d+)", candidate.write(SUPYO, [])) and same(world, candidate))
    for name in TABLES:
        step = max(1, len(world.tables.rows[name]) // 2)
        while step >= 1:
            i = 0
            while i < len(world.tables.rows[name]):
                fewer = {**world.tables.rows, name: world.tables.rows[name][:i] + world.tables.rows[name][i + step:]}
                candidate = world.with_rows(fewer)
                if same(candidate, query):
                    world = candidate
                else:
                    i += step
            step //= 2
    return world, query


def case(world, query, title):
    """A case of tests/sql. Its rows are DuckDB's; DOUBLEs may need their form."""
    text = statement(query)
    out = f"# {title}\n"
    ddl = world.tables.supyo_ddl().splitlines()
    for name, line in zip(TABLES, ddl):
        if not re.search(rf"\b{name}\b", text):
            continue
        rows, files = world.tables.rows[name], world.tables.files[name]
        for part in range(files):
            out += f"file {name}/part-{part}.{world.tables.formats[name]}\n" + "".join(world.tables._line(name, r) + "\n" for i, r in enumerate(rows) if i % files == part) + "\n"
        out += f"setup\n{line}\n\n"
    want, _ = world.truth(query)
    rows = sorted("|".join("NULL" if v is None else str(v).lower() if isinstance(v, bool) else v or "(empty)" for v in row) for row in want.rows.elements())
    return out + "query\n" + text + "\n----\n" + "\n".join(rows) + "\n"


class Report:
    def __init__(self):
        self.ok = self.skipped = self.refused = self.rows = 0
        self.failed = []
        self.reasons = collections.Counter()


def chunk(args, number, parallelism):
    """Runs one chunk; (index, query, verdict or None, DuckDB's rows or error) of each query."""
    seed = args.seed * 1_000_003 + number
    directory = f"{WORK}/{args.seed}/{number}"
    os.makedirs(directory, exist_ok=True)
    world = World(seed, directory, parallelism)
    grammar = Grammar(random.Random(seed + 1))
    queries = [grammar.query() for _ in range(min(CHUNK, args.count - number * CHUNK))]
    truths = [world.truth(q.node) for q in queries]
    chosen = [i for i, (want, _) in enumerate(truths) if want.error is None and args.only in (None, number * CHUNK + i)]
    got = dict(zip(chosen, world.results([queries[i].node for i in chosen], [truths[i][1] for i in chosen])))
    return world, [(i, queries[i].node, truths[i][0], got.get(i)) for i in range(len(queries))]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--count", type=int, default=200)
    p.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    p.add_argument("--parallelism", default="1,3")
    p.add_argument("--only", type=int, help="this query alone")
    p.add_argument("--no-shrink", action="store_true")
    p.add_argument("--show", action="store_true", help="every query with its outcome")
    p.add_argument("--jobs", type=int, default=3)
    args = p.parse_args()
    levels = [int(n) for n in args.parallelism.split(",")]
    print(f"seed {args.seed}, {args.count} queries")
    report = Report()
    numbers = [n for n in range((args.count + CHUNK - 1) // CHUNK) if args.only is None or args.only // CHUNK == n]
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for number, (world, outcomes) in zip(numbers, pool.map(lambda n: chunk(args, n, levels[n % len(levels)]), numbers)):
            for i, query, want, got in outcomes:
                count(report, args, world, number * CHUNK + i, query, want, got)
    for reason, times in report.reasons.most_common():
        print(f"  {times} {reason}")
    print(f"fuzz: {report.ok} equal ({report.rows} rows), {report.refused} refused, {report.skipped} that DuckDB cannot do, {len(report.failed)} failed")
    if report.skipped > args.count // 20 + 1:
        print("FAILED: too many queries say nothing")
        return 1
    return 1 if report.failed else 0


def count(report, args, world, index, query, want, got):
    if args.show:
        print(f"-- {index}\n{statement(query)}")
    if want.error is not None:
        report.skipped += 1
        report.reasons["DuckDB: " + want.error.splitlines()[0][:90]] += 1
        if args.show:
            print(query.write(DUCKDB, []), want.error)
        return
    if got is None:
        return
    wrong = verdict(got, want)
    if wrong is None:
        report.ok += 1
        report.rows += sum(want.rows.values())
        return
    if any(code in wrong[1] and part in wrong[1] for code, part in REFUSED):
        report.refused += 1
        report.reasons["refused: " + wrong[1].splitlines()[0][:120]] += 1
        return
    report.failed.append(index)
    print(f"FAILED query {index}: {wrong[1][:1500]}\n  {statement(query)}")
    title = f"Query {index} of seed {args.seed}"
    if not args.no_shrink and len(report.failed) <= 5:
        world, query = shrink(world, query, wrong)
        path = f"{WORK}/{args.seed}-{index}.test"
        with open(path, "w", encoding="utf-8") as f:
            f.write(case(world, query, f"{title}: {wrong[0]}."))
        print(f"  shrunk to {path} ({dict(world.settings)}):\n  {statement(query)}\n  DuckDB: {query.write(DUCKDB, [])}")


if __name__ == "__main__":
    sys.exit(main())
