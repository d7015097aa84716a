"""The .test files (the format is in tests/sql/corpus.h) as scripts: steps that set up, and cases, one statement each, that are compared.

Here, beside what corpus.h knows:
    each [FROM ..]     every line that follows is an expression, or several: one statement `SELECT line FROM ..` each
    # flink quotes: WORD ..   at the top: names of this file that Flink's parser reserves; it gets them in backticks
    # flink: NAME      before a block, or before a line of `each`: what follows differs from Flink; docs/flink-differences.md says why under that name.
                       `NAME sometimes` where it need not: Flink's answer depends on which of two inputs comes first
"""
import dataclasses
import os
import re

ONLY_SUPYO = re.compile(r"\$(late|dead)\b|'supyo\.|\bsupyo_", re.I)


@dataclasses.dataclass
class Case:
    file: str
    line: int
    sql: str
    setup: list            # statements before it, jobs among them
    inputs: dict           # name -> contents
    wants_error: bool      # an `error` block
    explained: str = ""    # name of a difference
    quoted: tuple = ()     # names that Flink wants in backticks
    sometimes: bool = False   # the difference need not occur: Flink's answer depends on which of two inputs comes first
    job: bool = False      # the last statement of an error block is no query

    @property
    def id(self):
        return f"{self.file}:{self.line}"

    @property
    def only_supyo(self):
        """Also what is of a log without a broker, which Flink does not have."""
        logs = ["'embedded:"]   # and what is made of them
        for s in self.setup:
            made = re.match(r"\s*CREATE (?:TEMPORARY )?(?:TABLE|VIEW) (\w+)", s, re.I)
            if made and re.search("|".join(logs), s):
                logs.append(rf"\b{made[1]}\b")
        return bool(ONLY_SUPYO.search(self.sql) or re.search("|".join(logs), self.sql))


def split(text):
    """Statements of a script, without their `;`. What lies between BEGIN and END is one."""
    out, now, quote, i, inside = [], "", "", 0, False
    while i < len(text):
        c = text[i]
        if not quote and text.startswith("--", i):
            i = text.find("\n", i) if "\n" in text[i:] else len(text)
            continue
        if quote:
            quote = "" if c == quote else quote
        elif c in "'`\"":
            quote = c
        elif c == ";":
            inside = bool(re.match(r"\s*EXECUTE\s+STATEMENT\s+SET", now, re.I)) and not re.search(r"\bEND\s*$", now, re.I)
            if not inside:
                out.append(now.strip())
                now, i = "", i + 1
                continue
        now += c
        i += 1
    return [s for s in [*out, now.strip()] if s]


def parse(path, root):
    """Cases of one file, in order."""
    name = os.path.relpath(path, root)
    cases, inputs, setup, explained, quoted = [], {}, [], "", ()
    lines = open(path, encoding="utf-8").read().split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line or line.startswith("#"):
            if line.startswith("# flink quotes: "):
                quoted = tuple(line[16:].split())
            if line.startswith("# flink: "):
                explained = line[9:].strip()
            at += 1
            continue
        begin, keyword, rest = at + 1, line.split(" ")[0], line.partition(" ")[2]
        at += 1
        body = []
        while at < len(lines) and lines[at]:
            body.append(lines[at])
            at += 1
        sql = "\n".join(body[:body.index("----")] if "----" in body else body)
        made = lambda text, where, why, error=False: Case(name, where, text, list(setup), dict(inputs), error, why.split(" ")[0], quoted, why.endswith(" sometimes"))  # noqa: E731
        if keyword == "file":
            inputs[rest] = "".join(line + "\n" for line in body)
        elif keyword in ("setup", "job"):
            setup += split(sql)
        elif keyword == "query":
            cases.append(made(sql.strip().rstrip(";"), begin, explained))
        elif keyword == "each":
            why = explained
            for i, expression in enumerate(body):
                if expression.startswith("# flink: "):
                    why = expression[9:].strip()
                elif not expression.startswith("#"):
                    cases.append(made(f"SELECT {expression} {rest}".strip(), begin + i + 1, why))
                    why = explained
        elif keyword == "error":
            *before, last = split(sql)
            case = made(last, begin, explained, True)
            case.setup += before
            case.job = not re.match(r"\s*(SELECT|WITH|VALUES)\b", last, re.I)
            cases.append(case)
        else:
            raise ValueError(f"{path}:{begin}: unknown keyword {keyword}")
        explained = ""
    return cases
