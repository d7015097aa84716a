"""Flink judges: every query of tests/sql and of tests/flink/statements is answered by Flink 2.1.3 and by Supyo, over the same files; rows (as a changelog
leaves them) and types are compared. What differs must be named in the .test file (`# flink: NAME`) and in docs/flink-differences.md, and must still differ.

Usage: run.py [--only PART] [--reuse] [-v]       SUPYO=path of the binary (build/release/supyo)
  --only PART   files whose name has PART in it
  --reuse       answers of Flink's from the last run where statement, setup and files are what they were
Leaves build/real/report.txt. The first run fetches Flink (about 300 MB). Needs a JDK.
"""
import argparse
import collections
import concurrent.futures
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path += [HERE, f"{ROOT}/tests/broker"]
import cases  # noqa: E402
import compare  # noqa: E402
import constructs  # noqa: E402
import flink_jvm  # noqa: E402

WORK = f"{ROOT}/build/real"
SUPYO = os.path.abspath(os.environ.get("SUPYO", f"{ROOT}/build/release/supyo"))
DOCUMENT = f"{ROOT}/docs/flink-differences.md"
JVM = ["-Xmx768m", *flink_jvm.MANY_PLANS]
MARK = "end of the types"
JOB = re.compile(r"\s*(INSERT|EXECUTE|BEGIN|CREATE\s+TABLE\b[^;]*\bAS\s+SELECT)\b", re.I)
# outcomes
LEAST = 600   # statements that both answer
EQUAL, DIFFERS, CANNOT, REFUSED, BOTH, ONLY = "equal", "differs", "Flink cannot run it", "Supyo refuses it", "both refuse it", "Supyo only"


def key(case):
    whole = json.dumps([case.inputs, case.setup, case.sql, case.quoted, "Oracle 3"])
    return hashlib.sha256(whole.encode()).hexdigest()


def write_inputs(directory, inputs):
    os.makedirs(directory, exist_ok=True)
    for name, text in inputs.items():
        os.makedirs(os.path.dirname(f"{directory}/{name}"), exist_ok=True)
        with open(f"{directory}/{name}", "w", encoding="utf-8") as f:
            f.write(text)


def by_file(all_cases):
    files = collections.OrderedDict()
    for case in all_cases:
        files.setdefault(case.file, []).append(case)
    return files


def folder(side, file):
    return f"{WORK}/{side}/{file.replace('/', '_').removesuffix('.test')}"


# -- Flink

def flink_steps(file, file_cases):
    directory = folder("flink", file)
    write_inputs(directory, file_cases[-1].inputs)
    steps, done = [], []

    def setup(statement):
        pair = re.fullmatch(r"\s*SET\s+'?([^'=\s]*)'?\s*=\s*'?([^']*?)'?\s*", statement, re.I)
        if not pair:
            return steps.append({"sql": absolute(statement)})
        if not pair[1].startswith(("supyo.", "restart-strategy", "execution.runtime-mode")):
            steps.append({"set": pair[1], "value": {"+09:00": "GMT+09:00"}.get(pair[2], pair[2])})

    def absolute(statement):   # ..and what Flink's parser cannot take for a name
        for word in file_cases[0].quoted:
            statement = re.sub(rf"(?<![`\w']){word}(?![`\w'])", f"`{word}`", statement)
        return re.sub(r"('path'\s*=\s*')([^'/])", lambda m: f"{m[1]}{directory}/{m[2]}", statement)

    for case in file_cases:
        if case.only_supyo:
            continue
        for statement in case.setup[len(done):] if case.setup[:len(done)] == done else case.setup:
            setup(statement)
        done = case.setup
        steps.append({"id": case.id, "sql": absolute(case.sql), **({"once": True} if case.wants_error else {})})
    return {"name": file, "steps": steps}


def ask_flink(all_cases, reuse, threads=3):
    """Answers by case id, and what went wrong in setup."""
    kept_path = f"{WORK}/answers.json"
    kept = json.load(open(kept_path, encoding="utf-8")) if os.path.exists(kept_path) else {}
    files = {file: some for file, some in by_file(all_cases).items() if any((not reuse or key(c) not in kept) and not c.only_supyo for c in some)}
    broken = []
    if files:
        lib = flink_jvm.fetch()
        with open(f"{WORK}/scripts.jsonl", "w", encoding="utf-8") as f:
            for file, some in files.items():
                f.write(json.dumps(flink_steps(file, some)) + "\n")
        with open(f"{WORK}/flink.jsonl", "w", encoding="utf-8") as answers, open(f"{WORK}/flink.out", "w", encoding="utf-8") as log:
            done = subprocess.run(flink_jvm.command(lib, WORK, f"{HERE}/Oracle.java", JVM) + [f"{WORK}/scripts.jsonl", str(threads)], stdout=answers, stderr=log)
        if done.returncode != 0:
            sys.exit(f"Flink ended with {done.returncode}; see {WORK}/flink.out and {WORK}/flink.log")
        keys = {c.id: key(c) for c in all_cases}
        for line in open(f"{WORK}/flink.jsonl", encoding="utf-8"):
            try:
                answer = json.loads(line)
            except json.JSONDecodeError:   # something in Flink wrote to standard output: the case has no answer, and fails
                answer = {"setup": "standard output", "sql": "", "error": line[:200]}
            if "setup" in answer:
                broken.append(answer)
            else:
                kept[keys[answer.pop("id")]] = answer
        with open(kept_path, "w", encoding="utf-8") as f:
            json.dump(kept, f)
    return {c.id: kept.get(key(c), {"error": "no answer"}) for c in all_cases if not c.only_supyo}, broken


# -- Supyo

def supyo(directory, sql):
    done = subprocess.run([SUPYO, "sql", "--format", "json"], input=sql, capture_output=True, text=True, cwd=directory, timeout=120)
    rows = [[None if v is None else str(v).lower() if isinstance(v, bool) else v for _, v in pairs]
            for pairs in (json.loads(line, object_pairs_hook=list, parse_int=str, parse_float=str) for line in done.stdout.split("\n") if line.startswith("{"))]
    return rows, done.stderr.strip() if done.returncode != 0 else None


def supyo_answer(directory, case):
    declared = [s for s in case.setup if not JOB.match(s)]
    script = "".join(s + ";\n" for s in declared)
    if case.job:
        _, error = supyo(directory, script + case.sql + ";")
        return {"error": error} if error else {"rows": [], "types": []}
    typed, error = supyo(directory, f"{script}CREATE VIEW view_of_the_query AS {case.sql};\nDESCRIBE view_of_the_query;\nSELECT '{MARK}';\n{case.sql};")
    if error is None:
        at = typed.index([MARK])
        return {"types": [row[1] for row in typed[:at]], "rows": typed[at + 1:]}
    rows, error = supyo(directory, script + case.sql + ";")
    return {"error": error} if error else {"rows": rows}


def ask_supyo(file, file_cases):
    directory = folder("supyo", file)
    write_inputs(directory, file_cases[-1].inputs)
    answers, ran = {}, 0
    for case in file_cases:
        for i in range(ran, len(case.setup)):
            if JOB.match(case.setup[i]):
                _, error = supyo(directory, "".join(s + ";\n" for s in case.setup[:i] if not JOB.match(s)) + case.setup[i] + ";")
                if error:
                    answers["setup"] = {"setup": file, "sql": case.setup[i], "error": error}
        ran = max(ran, len(case.setup)) if not case.job else ran
        if not case.only_supyo:
            answers[case.id] = supyo_answer(directory, case)
    return answers


# -- the verdict

def verdict(case, ours, theirs):
    """Outcome and what there is to say."""
    if case.only_supyo:
        return ONLY, ""
    if "error" in theirs:
        return (BOTH if "error" in ours else CANNOT), theirs["error"].split("\n")[0][:300]
    if "error" in ours:
        return REFUSED, ours["error"]
    if case.job:
        return DIFFERS, "both run it; the case wants an error"
    types = [compare.type_name(t) for t in theirs["types"]]
    left = compare.folded(theirs["rows"])
    if left is None:
        return DIFFERS, "Flink takes back a row that is not there"
    theirs_rows = [[compare.value(v, t, False) for v, t in zip(row, types)] for row in left]
    ours_rows = [[compare.value(v, t, True) for v, t in zip(row, types)] for row in ours["rows"]]
    said = []
    if not compare.same_rows(ours_rows, theirs_rows):
        said.append("rows:\n" + side_by_side(ours_rows, theirs_rows))
    if "types" in ours and [compare.type_name(t) for t in ours["types"]] != types:
        said.append(f"types: Supyo {', '.join(compare.type_name(t) for t in ours['types'])}\n       Flink {', '.join(types)}")
    if theirs.get("mode") == "batch":
        said = said and [f"Flink in batch mode; streaming: {theirs.get('refused', '').split(chr(10))[0][:200]}", *said]
    return (DIFFERS, "\n".join(said)) if said else (EQUAL, theirs.get("mode", ""))


def side_by_side(ours, theirs):
    def some(rows):
        return [" | ".join("NULL" if v is None else str(v) for v in row) for row in sorted(rows, key=compare.order)]
    a, b = collections.Counter(some(ours)), collections.Counter(some(theirs))
    return "\n".join([f"  Supyo {row}" for row in list((a - b).elements())[:8]] + [f"  Flink {row}" for row in list((b - a).elements())[:8]])


def documented():
    if not os.path.exists(DOCUMENT):
        return set()
    return set(re.findall(r"^## ([a-z0-9-]+)", open(DOCUMENT, encoding="utf-8").read(), re.M))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--only", default="")
    p.add_argument("--reuse", action="store_true")
    p.add_argument("-v", action="store_true")
    args = p.parse_args()
    paths = [*sorted(glob.glob(f"{ROOT}/tests/sql/*.test")), *sorted(glob.glob(f"{HERE}/statements/*.test"))]
    all_cases = [case for path in paths if args.only in path for case in cases.parse(path, f"{ROOT}/tests")]
    for side in ("flink", "supyo"):
        shutil.rmtree(f"{WORK}/{side}", ignore_errors=True)
    os.makedirs(WORK, exist_ok=True)
    begin = time.monotonic()
    theirs, broken = ask_flink(all_cases, args.reuse)
    flink_took = time.monotonic() - begin
    ours = {}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for answers in pool.map(lambda pair: ask_supyo(*pair), by_file(all_cases).items()):
            if "setup" in answers:
                broken.append(answers.pop("setup"))
            ours.update(answers)
    known, used, failures, lines = documented(), set(), [], []
    counts, per_file, covered = collections.Counter(), collections.defaultdict(collections.Counter), collections.Counter()
    for case in all_cases:
        outcome, said = verdict(case, ours.get(case.id, {}), theirs.get(case.id, {}))
        counts[outcome] += 1
        per_file[case.file][outcome] += 1
        covered.update(constructs.of(case) if outcome in (EQUAL, DIFFERS) else ())
        fine = outcome in (EQUAL, BOTH, ONLY)
        used |= {case.explained} - {""}
        wrong = ""
        if not fine and not case.explained:
            wrong = "not explained"
        elif fine and case.explained and not case.sometimes:
            wrong = f"explained by {case.explained}, but there is no difference"
        elif case.explained and case.explained not in known:
            wrong = f"docs/flink-differences.md has no {case.explained}"
        if wrong or not fine or args.v:
            lines.append(f"{'FAIL ' if wrong else ''}{case.id}  {outcome}{f' ({case.explained})' if case.explained else ''}{f': {wrong}' if wrong else ''}\n"
                         f"  {case.sql}\n  {said}".rstrip())
        if wrong:
            failures.append(case.id)
    for one in broken:
        lines.append(f"setup of {one['setup']}\n  {one['sql']}\n  {one['error'].split(chr(10))[0][:300]}")
    if not args.only:
        for name in constructs.CONSTRUCTS:
            if not covered[name]:
                failures.append(name)
                lines.append(f"FAIL no statement with {name} is answered by both: write one in tests/flink/statements")
        if counts[EQUAL] + counts[DIFFERS] < LEAST:
            failures.append(f"fewer than {LEAST} statements")
        for name in sorted(known - used):
            failures.append(name)
            lines.append(f"FAIL docs/flink-differences.md: {name} explains no case")
    names = [EQUAL, BOTH, DIFFERS, CANNOT, REFUSED, ONLY]
    table = [f"{'':34}" + "".join(f"{n:>21}" for n in names)]
    table += [f"{file:34}" + "".join(f"{per_file[file][n] or '':>21}" for n in names) for file in per_file]
    table += [f"{f'{len(all_cases)} statements':34}" + "".join(f"{counts[n]:>21}" for n in names)]
    text = "\n".join([*lines, "", *table, ""])
    with open(f"{WORK}/report.txt", "w", encoding="utf-8") as f:
        f.write(text)
    print(text)
    print(f"{counts[EQUAL] + counts[DIFFERS]} statements answered by both and compared, over {sum(covered[n] > 0 for n in constructs.CONSTRUCTS)} of {len(constructs.CONSTRUCTS)} constructs; {counts[BOTH]} refused by both")
    print(f"Flink {flink_took:.0f} s, all {time.monotonic() - begin:.0f} s; " + (f"{len(failures)} FAILED" if failures else "every difference is explained"))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
