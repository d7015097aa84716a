"""Random queries on random tables, here and on real Flink 2.1.3, one JVM for all: the rows that a changelog leaves must be the same.

Usage: against_flink.py [--count 2000] [--seed N] [--parallelism 1,3] [--only N] [--no-shrink] [--show]. The queries are those of queries.py, as they stand in the dialect;
nothing is mapped. What Flink cannot run says nothing and is counted with its reason; what differs by a rule of docs/flink-differences.md is told by explanation().
A query that fails is shrunk (a round asks Flink about many smaller ones at once) and written to build/fuzz as a case for tests/sql. Needs a JDK; see scripts/test_real.sh."""
import argparse
import collections
import concurrent.futures
import copy
import decimal
import json
import os
import random
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path += [f"{ROOT}/tests/flink", f"{ROOT}/tests/broker"]
import compare  # noqa: E402
import expressions  # noqa: E402
import flink_jvm  # noqa: E402
import queries  # noqa: E402
from grammar import Grammar  # noqa: E402
import tables  # noqa: E402
from tables import TABLES  # noqa: E402
from tree import at, places, replaced  # noqa: E402

WORK = os.path.abspath("build/fuzz/flink")
JVM = ["-Xmx1g", *flink_jvm.MANY_PLANS]
CHUNK = 20
CANDIDATES = 40   # a round of shrinking

SAME = [re.compile(r"(\b[av]\d+\.\w+)\)* (?:=|<>|<=?|>=?|(?:NOT )?BETWEEN|IS (?:NOT )?DISTINCT FROM) \(*(?:[^()]* AND )?\1\b"), re.compile(r"(\b[av]\d+\.\w+) (?:NOT )?IN \([^()]*\1\b"),
        re.compile(r"(?:NULLIF|GREATEST|LEAST)\((\b[av]\d+\.\w+), \1\)")]


# IN and the like as values, not as conditions of WHERE.
IN_VALUE = re.compile(r"(?:\(|THEN |SELECT |, )\([^()]*? (?:(?:NOT )?IN|[<>]=? (?:ALL|ANY)) \(SELECT")

# A constant among the columns of one side.
CONSTANT = r"(?:'[^']*'|-?[\d.]+|TRUE|FALSE) AS \w+(?:, [^()]*(?:\([^()]*\)[^()]*)*)? FROM "
CONSTANT_ALL = re.compile(rf"\(SELECT (?:[^()]*, )?{CONSTANT}[^()]*\) INTERSECT ALL|INTERSECT ALL \(SELECT (?:[^()]*, )?{CONSTANT}")

# An aggregation, or the first rows: not the rows themselves.
LATERAL = re.compile(r"LATERAL \(SELECT (?:(?:COUNT|SUM|MIN|MAX|AVG)\(|.* ORDER BY [^()]* LIMIT \d+\) AS)")


def explanation(text, wrong, answer):
    """The heading of docs/flink-differences.md that explains a difference, or None."""
    kinds = collections.Counter(row[0] for row in answer["rows"])
    if kinds["+U"] != kinds["-U"]:
        return "top-1-of-its-keys"   # asked for every kind of change, Flink leaves the rows before out
    if wrong[0] != "rows":
        return None
    if any(re.search(rf"\b{rank} (= 1|< 2|<= 1)\b", text) for rank in re.findall(r"ROW_NUMBER\(\) OVER \([^)]*\) AS (x\d+)", text)):
        return "top-1-of-its-keys"   # and what is computed from it
    if any(pattern.search(text) for pattern in SAME):
        return "same-column"
    if re.search(r"\b(DENSE_)?RANK\(\) OVER", text):
        return "rank-peers"
    if IN_VALUE.search(text):
        return "null-in-an-empty-set"
    if "INTERSECT ALL" in text and (not wrong[3] or CONSTANT_ALL.search(text)):
        return "intersect-all"
    if re.search(r"SESSION\(TABLE \w+ PARTITION BY .* (?:ROLLUP|CUBE|GROUPING SETS) \(", text):
        return "sessions-in-sets"
    if re.search(r"LIMIT \d+ OFFSET", text) and not wrong[3]:   # rows too many there
        return "offset-of-changes"
    if LATERAL.search(text):
        return "lateral"
    if "FOR SYSTEM_TIME AS OF" in text:
        return "temporal-versions"
    if re.search(r"\bUNION (?!ALL)", text) and wrong[2]:
        return "union-of-nothing"
    return None


class World(queries.World):
    """Tables as files, and how Supyo runs."""

    def prepare(self):
        self.tables.write()

    def fold(self, lines, _):
        """A changelog as [[kind, value, ..]], values as texts: its rows are compared by Flink's types, which are not known yet."""
        return queries.Result(rows=[[op, *[None if v is None else str(v).lower() if isinstance(v, bool) else str(v) for _, v in row]] for (_, op), *row in lines])


for times in (tables.EPOCHS, expressions.DATES, expressions.TIMES):   # docs/flink-differences.md, before-1970
    times[:] = [t for t in times if str(t) >= "1971"]
tables.STRINGS.remove("😀b")   # surrogates


def normal(text, kind, ours):
    text = compare.value(text, kind, ours)
    if text is None:
        return None
    if kind in compare.FLOATING:
        return "NaN" if text != text else f"{text + 0.0:.12g}" if kind == "DOUBLE" else f"{text + 0.0:.6g}"
    if re.match(r"(TINY|SMALL|BIG)?INT|DECIMAL", kind):
        return f"{decimal.Decimal(text).normalize() + 0:f}"
    return text


def rows(changelog, types, ours):
    """What is left, or None when it takes back what is not there."""
    left = collections.Counter()
    for kind, *row in changelog:
        key = tuple(normal(v, t, ours) for v, t in zip(row, types))
        left[key] += 1 if kind in ("+I", "+U") else -1
        if left[key] < 0:
            return None
    return +left


def verdict(ours, theirs):
    """None when equal, else a class (which stays while shrinking) and what is wrong."""
    types = [compare.type_name(t) for t in theirs["types"]]
    want = rows(theirs["rows"], types, False)
    if want is None:
        return None   # in no order a truth
    if ours.error is not None:
        code = re.search(r"SUPYO-\d+", ours.error)
        return (code.group(0) if code else ours.error.split(" (")[0][:40]), ours.error
    got = rows(ours.rows, types, True)
    if got is None:
        return "order", "Supyo takes back a row that is not there"
    if got == want:
        return None
    only_repeated = set(got) == set(want) and not got - want
    return "rows", f"only here {list((got - want).items())[:4]}, only in Flink {list((want - got).items())[:4]}", only_repeated, bool(got - want)


def script(name, world, trees):
    """Steps for Oracle.java: the tables, and each query with its views."""
    steps = [{"sql": line.rstrip(";")} for line in world.tables.supyo_ddl(world.directory + "/").splitlines()]
    for i, tree in enumerate(trees):
        *views, query = queries.statement(tree).split(";\n")
        steps += [{"sql": view.replace("TEMPORARY VIEW ", "TEMPORARY VIEW IF NOT EXISTS ")} for view in views]
        steps.append({"id": f"{name}/{i}", "sql": query})
    return {"name": name, "steps": steps}


def ask_flink(scripts, keep="last", reuse=False, threads=3):
    """Answers by id; kept in a file of that name."""
    os.makedirs(WORK, exist_ok=True)
    if reuse:
        return read_answers(keep)
    with open(f"{WORK}/scripts.jsonl", "w", encoding="utf-8") as f:
        f.writelines(json.dumps(s) + "\n" for s in scripts)
    with open(f"{WORK}/{keep}.jsonl", "w", encoding="utf-8") as answers, open(f"{WORK}/flink.out", "w", encoding="utf-8") as log:
        done = subprocess.run(flink_jvm.command(flink_jvm.fetch(), WORK, f"{ROOT}/tests/flink/Oracle.java", JVM) + [f"{WORK}/scripts.jsonl", str(threads)], stdout=answers, stderr=log, check=False)
    if done.returncode != 0:
        sys.exit(f"Flink ended with {done.returncode}; see {WORK}/flink.out and {WORK}/flink.log")
    return read_answers(keep)


def read_answers(name):
    out = {}
    for line in open(f"{WORK}/{name}.jsonl", encoding="utf-8"):
        try:
            answer = json.loads(line)
        except json.JSONDecodeError:   # something in Flink wrote to standard output
            continue
        if "id" in answer:
            out[answer.pop("id")] = answer
    return out


def judged(world, trees, answers):
    """The verdict of each query; "?" where Flink gives no rows."""
    known = [i for i, a in enumerate(answers) if a and "rows" in a]
    got = dict(zip(known, world.results([trees[i] for i in known], [None] * len(known))))
    return [verdict(got[i], answers[i]) if i in got else "?" for i in range(len(trees))]


def same_class(found, wrong):
    return isinstance(found, tuple) and found[0] == wrong[0]


def shrink(world, tree, wrong):
    for _ in range(12):
        smaller, seen = [], set()
        for path in places(tree):
            for new in at(tree, path).smaller():
                candidate = replaced(tree, path, new)
                text = queries.statement(candidate)
                if text not in seen and re.search(r"\bAS (x\d+)", text):
                    seen.add(text)
                    smaller.append(candidate)
        smaller = smaller[:CANDIDATES]
        answers = ask_flink([script(f"s{i}", world, [c]) for i, c in enumerate(smaller)])
        tree_next = next((c for i, c in enumerate(smaller) if same_class(judged(world, [c], [answers.get(f"s{i}/0")])[0], wrong)), None)
        if tree_next is None:
            break
        tree = tree_next
    for _ in range(8):   # rows: the halves of each table
        worlds = []
        for name in TABLES:
            whole = world.tables.rows[name]
            for part in ([], whole[:len(whole) // 2], whole[len(whole) // 2:]):
                if len(part) < len(whole):
                    fewer = copy.copy(world)
                    fewer.tables = copy.copy(world.tables)
                    fewer.directory = fewer.tables.directory = f"{WORK}/shrink/{len(worlds)}"
                    fewer.tables.rows = {**world.tables.rows, name: part}
                    fewer.prepare()
                    worlds.append(fewer)
        answers = ask_flink([script(f"r{i}", w, [tree]) for i, w in enumerate(worlds)])
        world_next = next((w for i, w in enumerate(worlds) if same_class(judged(w, [tree], [answers.get(f"r{i}/0")])[0], wrong)), None)
        if world_next is None:
            break
        world = copy.copy(world_next)
    return world, tree


def case(world, tree, title, answer):
    """A case of tests/sql, with Flink's rows."""
    text = queries.statement(tree)
    out = f"# {title}\n"
    for name, line in zip(TABLES, world.tables.supyo_ddl().splitlines()):
        if re.search(rf"\b{name}\b", text):
            data, files = world.tables.rows[name], world.tables.files[name]
            for part in range(files):
                out += f"file {name}/part-{part}.{world.tables.formats[name]}\n" + "".join(world.tables._line(name, r) + "\n" for i, r in enumerate(data) if i % files == part) + "\n"
            out += f"setup\n{line}\n\n"
    types = [compare.type_name(t) for t in answer["types"]]
    left = sorted("|".join("NULL" if v is None else v or "(empty)" for v in row) for row in (rows(answer["rows"], types, False) or collections.Counter()).elements())
    return out + "query\n" + text + "\n----\n" + "\n".join(left) + "\n"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--count", type=int, default=2000)
    p.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    p.add_argument("--parallelism", default="1,3")
    p.add_argument("--only", type=int, help="this query alone")
    p.add_argument("--no-shrink", action="store_true")
    p.add_argument("--reuse", action="store_true", help="Flink's answers of the last run with this seed and count")
    p.add_argument("--show", action="store_true", help="every query with its outcome")
    args = p.parse_args()
    levels = [int(n) for n in args.parallelism.split(",")]
    print(f"seed {args.seed}, {args.count} queries", flush=True)
    chunks = []
    for number in range((args.count + CHUNK - 1) // CHUNK):
        if args.only is not None and args.only // CHUNK != number:
            continue
        seed = args.seed * 1_000_003 + number
        directory = f"{WORK}/{args.seed}/{number}"
        os.makedirs(directory, exist_ok=True)
        grammar = Grammar(random.Random(seed + 1))
        trees = [grammar.query().node for _ in range(min(CHUNK, args.count - number * CHUNK))]
        chunks.append((number, World(seed, directory, levels[number % len(levels)]), trees))
    answers = ask_flink([script(str(number), world, trees) for number, world, trees in chunks], f"seed-{args.seed}-{args.count}", args.reuse)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda c: judged(c[1], c[2], [answers.get(f"{c[0]}/{i}") for i in range(len(c[2]))]), chunks))
    counts, reasons, failed = collections.Counter(), collections.Counter(), []
    for (number, world, trees), verdicts in zip(chunks, found):
        for i, (tree, wrong) in enumerate(zip(trees, verdicts)):
            index, answer = number * CHUNK + i, answers.get(f"{number}/{i}", {"error": "no answer"})
            if args.only not in (None, index):
                continue
            text = queries.statement(tree)
            if args.show:
                print(f"-- {index} {'equal' if wrong is None else wrong}\n{text}\n   {answer.get('error', '')}")
            if wrong is None:
                counts["equal"] += 1
                counts["rows"] += len(answer["rows"])
                counts["in batch mode"] += answer.get("mode") == "batch"
                continue
            if wrong == "?":
                counts["Flink cannot"] += 1
                reasons["Flink: " + answer["error"].split("\n")[0][:110]] += 1
                continue
            if any(code == wrong[0] and part in wrong[1] for code, part in queries.REFUSED):
                counts["refused"] += 1
                reasons[f"refused: {wrong[1].splitlines()[0][:120]} (Flink in {answer['mode']} mode)"] += 1
                continue
            heading = explanation(text, wrong, answer)
            if heading:
                counts["explained"] += 1
                reasons["explained: " + heading] += 1
                continue
            failed.append(index)
            print(f"FAILED query {index} ({world.settings}, Flink in {answer['mode']} mode): {wrong[1][:1500]}\n  {text}", flush=True)
            if not args.no_shrink and len(failed) <= 3:
                small, tree = shrink(world, tree, wrong)
                answer = ask_flink([script("final", small, [tree])]).get("final/0", answer)
                path = f"{WORK}/{args.seed}-{index}.test"
                with open(path, "w", encoding="utf-8") as f:
                    f.write(case(small, tree, f"Query {index} of seed {args.seed}: {wrong[0]}.", answer))
                print(f"  shrunk to {path}:\n  {queries.statement(tree)}", flush=True)
    for reason, times in reasons.most_common():
        print(f"  {times} {reason}")
    print(f"against Flink: {counts['equal']} equal ({counts['rows']} changes; {counts['in batch mode']} of them in batch mode), {counts['explained']} explained, {counts['refused']} refused here, {counts['Flink cannot']} that Flink cannot do, {len(failed)} failed")
    if args.only is None and counts["Flink cannot"] > args.count // 3:
        print("FAILED: too many queries say nothing")
        return 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
