"""Small random tables, as files for Supyo and as tables of DuckDB.

Relations r0, r1 hold every type, with NULLs, duplicates and few different keys. Streams e0 (in order) and e1 (out of order, by less than its watermark allows) hold times
that differ from each other, so that an order by time is one."""
import datetime
import json
import os

EPOCHS = [datetime.datetime(2024, 2, 28, 23, 59, 30), datetime.datetime(1969, 12, 31, 23, 59, 20), datetime.datetime(2020, 1, 1)]
STRINGS = ["", "a", "A", "b", "ab", "abc", " a ", "x,y", "x,y,z", "quote\"d", "it's", "é", "Ünï", "日本", "😀b", "100%", "a_b", "NULL", "-7", "0", "12"]

RELATION = [("id", "INT"), ("k", "INT"), ("ti", "TINYINT"), ("si", "SMALLINT"), ("n", "BIGINT"), ("d", "DOUBLE"), ("f", "FLOAT"), ("m", "DECIMAL(8,2)"), ("q", "DECIMAL(5,3)"), ("s", "STRING"),
            ("u", "STRING"), ("b", "BOOLEAN"), ("dt", "DATE"), ("t", "TIMESTAMP(3)")]
STREAM = [("id", "INT"), ("k", "INT"), ("n", "BIGINT"), ("m", "DECIMAL(8,2)"), ("s", "STRING"), ("b", "BOOLEAN"), ("ts", "TIMESTAMP(3)")]
TABLES = {"r0": RELATION, "r1": RELATION, "e0": STREAM, "e1": STREAM}
DUCK_TYPES = {"INT": "INTEGER", "STRING": "VARCHAR", "FLOAT": "REAL", "TIMESTAMP(3)": "TIMESTAMP"}


def time_text(value):
    return value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03}"


class Tables:
    """The tables of a seed: DDL for both, and the files."""

    def __init__(self, rng, directory):
        self.rng, self.directory = rng, directory
        self.epoch = rng.choice(EPOCHS)
        self.rows = {name: self._relation() if name[0] == "r" else self._stream(name == "e1") for name in TABLES}
        self.files = {name: rng.randint(1, 3) if name[0] == "r" else 1 for name in TABLES}
        self.formats = {name: rng.choice(["json", "csv"]) for name in TABLES}
        self.max_delay = 40

    def _value(self, kind):
        rng = self.rng
        if kind in ("TINYINT", "SMALLINT", "INT", "BIGINT"):
            bits = {"TINYINT": 7, "SMALLINT": 15, "INT": 31, "BIGINT": 63}[kind]
            return rng.choice([0, 1, -1, rng.randint(-9, 9), rng.randint(-9, 9), rng.randint(-100, 100), (1 << bits) - 1 if rng.random() < 0.1 else 5, -(1 << bits) if rng.random() < 0.1 else -5])
        if kind in ("DOUBLE", "FLOAT"):
            return rng.choice([0.0, 1.0, -2.5, rng.randint(-40, 40) / 4, rng.randint(-4000, 4000) / 16])
        if kind.startswith("DECIMAL"):
            precision, scale = map(int, kind[8:-1].split(","))
            unscaled = rng.choice([0, 5, -5, rng.randint(-999, 999), rng.randint(-(10 ** precision) + 1, 10 ** precision - 1)])
            return f"{'-' if unscaled < 0 else ''}{abs(unscaled) // 10 ** scale}.{abs(unscaled) % 10 ** scale:0{scale}}"
        if kind == "STRING":
            return rng.choice(STRINGS)
        if kind == "BOOLEAN":
            return rng.random() < 0.5
        if kind == "DATE":
            return str((self.epoch + datetime.timedelta(days=rng.randint(-40, 40))).date())
        return time_text(self.epoch + datetime.timedelta(milliseconds=rng.randint(-90_000, 90_000) if rng.random() < 0.8 else rng.randint(-10 ** 10, 10 ** 10)))

    def _relation(self):
        rng = self.rng
        count, nulls = rng.choice([0, 1, 5, 12, 20, 30]), rng.choice([0, 0.1, 0.4])
        rows = []
        for i in range(count):
            row = [None if rng.random() < nulls else self._value(kind) for _, kind in RELATION]
            row[0], row[1] = i, None if rng.random() < nulls else min(rng.randint(0, 5), rng.randint(0, 5))
            rows.append(list(rows[-1]) if rows and rng.random() < 0.1 else row)
        return rows

    def _stream(self, disorder):
        rng = self.rng
        count, nulls, step = rng.choice([0, 1, 8, 20, 30]), rng.choice([0, 0.15]), rng.choice([100, 1000, 4000])
        times, now = [], 0
        for _ in range(count):
            now += rng.choice([1, rng.randint(1, step), rng.randint(1, 4 * step), 5 * step])
            times.append(now)
        rows = []
        for i, at in enumerate(times):
            row = [None if rng.random() < nulls else self._value(kind) for _, kind in STREAM]
            row[0], row[1] = i, None if rng.random() < nulls else min(rng.randint(0, 4), rng.randint(0, 4))
            row[-1] = time_text(self.epoch + datetime.timedelta(milliseconds=at))
            rows.append((at + (rng.randint(0, 39_000) if disorder else 0), row))
        return [row for _, row in sorted(rows, key=lambda r: r[0])]

    def write(self):
        for name, rows in self.rows.items():
            directory = f"{self.directory}/{name}"
            os.makedirs(directory, exist_ok=True)
            for part in range(3):
                path = f"{directory}/part-{part}.{self.formats[name]}"
                if os.path.exists(path):
                    os.remove(path)
                if part < self.files[name]:
                    with open(path, "w", encoding="utf-8") as f:
                        f.writelines(self._line(name, row) + "\n" for i, row in enumerate(rows) if i % self.files[name] == part)

    def _line(self, name, row):
        if self.formats[name] == "json":
            return json.dumps({column: value for (column, _), value in zip(TABLES[name], row)}, ensure_ascii=self.rng.random() < 0.5)
        return ",".join("(null)" if v is None else '"' + v.replace('"', '""') + '"' if isinstance(v, str) else str(v).lower() if isinstance(v, bool) else str(v) for v in row)

    def supyo_ddl(self, prefix=""):
        out = ""
        for name, columns in TABLES.items():
            late = {"e0": "ts", "e1": f"ts - INTERVAL '{self.max_delay}' SECOND"}.get(name)
            body = ", ".join(f"{c} {t}" for c, t in columns) + (f", WATERMARK FOR ts AS {late}" if late else "")
            null = ", 'csv.null-literal' = '(null)'" if self.formats[name] == "csv" else ""
            out += f"CREATE TABLE {name} ({body}) WITH ('connector' = 'filesystem', 'path' = '{prefix}{name}', 'format' = '{self.formats[name]}'{null});\n"
        return out

    def load(self, db):
        for name, columns in TABLES.items():
            db.execute(f"CREATE OR REPLACE TABLE {name} ({', '.join(f'{c} {DUCK_TYPES.get(t, t)}' for c, t in columns)})")
            if self.rows[name]:
                db.execute(f"INSERT INTO {name} VALUES " + ", ".join("(" + ", ".join(map(literal, row)) + ")" for row in self.rows[name]))


def literal(value):
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)
