"""Random expressions: each as Supyo (Flink's dialect) writes it and as DuckDB does, where the two differ in what a text means.

What is mapped: integers that wrap, division and rounding of DECIMALs, casts (Flink cuts numbers, DuckDB rounds them), strings that are NULL in CONCAT, the order of NULLs, names."""
from tree import Node, Series

# Flink's arithmetic, written for DuckDB. Powers of ten are written out: pow() is a DOUBLE, exact to 10^22 only. wN: an integer of N bits that wraps. half_up: a quotient rounded half away from zero. digits: a DECIMAL without its point.
MACROS = """
CREATE MACRO w8(x) AS CAST((((CAST(x AS HUGEINT) + 128) % 256) + 256) % 256 - 128 AS TINYINT);
CREATE MACRO w16(x) AS CAST((((CAST(x AS HUGEINT) + 32768) % 65536) + 65536) % 65536 - 32768 AS SMALLINT);
CREATE MACRO w32(x) AS CAST((((CAST(x AS HUGEINT) + 2147483648) % 4294967296) + 4294967296) % 4294967296 - 2147483648 AS INTEGER);
CREATE MACRO w64(x) AS CAST((((CAST(x AS HUGEINT) + 9223372036854775808) % 18446744073709551616) + 18446744073709551616) % 18446744073709551616 - 9223372036854775808 AS BIGINT);
CREATE MACRO half_up(n, d) AS (CASE WHEN (n < 0) <> (d < 0) THEN -1 ELSE 1 END) * ((2 * abs(n) + abs(d)) // (2 * abs(d)));
CREATE MACRO digits(x) AS CAST(replace(CAST(x AS VARCHAR), '.', '') AS HUGEINT);
CREATE MACRO quotient(a, b, shift) AS half_up(a * CAST(concat('1', repeat('0', shift)) AS HUGEINT), NULLIF(b, 0));
CREATE MACRO floor_div(a, b) AS (a - ((a % b) + b) % b) // b;
CREATE MACRO ms(t) AS CAST(epoch_ms(t) AS BIGINT);
"""
BITS = {"TINYINT": 8, "SMALLINT": 16, "INT": 32, "BIGINT": 64}
INTEGERS = list(BITS)
DATES = ["2024-02-29", "1970-01-01", "2020-01-01", "1969-12-31", "2023-12-31"]
TIMES = ["2024-02-29 00:00:00", "1970-01-01 00:00:00.5", "2020-01-01 00:00:10", "1969-12-31 23:59:59.999"]
UNITS = ["SECOND", "MINUTE", "HOUR", "DAY"]
WORDS = ["", "a", "b", "ab", "A", "é", "日", "x", ",", "z", "NULL", "%", "a b"]


def decimal(kind):
    """Precision and scale, or None."""
    return tuple(map(int, kind[8:-1].split(","))) if kind.startswith("DECIMAL") else None


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def duck_type(kind):
    return {"INT": "INTEGER", "STRING": "VARCHAR", "FLOAT": "REAL", "TIMESTAMP(3)": "TIMESTAMP"}.get(kind, kind)


def from_digits(text, scale):
    """A DECIMAL of DuckDB from its digits."""
    return f"CAST({text} AS DECIMAL(38,0))" if scale == 0 else f"(CAST({text} AS DECIMAL({37 - scale},0)) * CAST('{'0.' + '0' * (scale - 1) + '1'}' AS DECIMAL({scale + 1},{scale})))"


class Column:
    def __init__(self, name, kind):
        self.name, self.kind = name, kind

    def node(self):
        return Node(self.kind, self.name)


class Expressions:
    """Makes expressions of a type over the columns in scope."""

    def __init__(self, rng):
        self.rng = rng

    # -- leaves

    def literal(self, kind):
        rng = self.rng
        if rng.random() < 0.06:
            return Node(kind, f"CAST(NULL AS {kind})", duck=f"CAST(NULL AS {duck_type(kind)})")
        if kind in BITS:
            value = rng.choice([0, 1, 2, 3, 7, 10, rng.randint(0, 120)])
            text = str(value) if rng.random() < 0.8 else f"(-{value})"
            return Node(kind, text if kind == "INT" else f"CAST({text} AS {kind})", duck=f"CAST({text} AS {duck_type(kind)})")
        if kind in ("DOUBLE", "FLOAT"):
            value = rng.randint(-20, 20) / 4
            return Node(kind, f"CAST({value} AS {kind})", duck=f"CAST({value} AS {duck_type(kind)})")
        if decimal(kind):
            precision, scale = decimal(kind)
            whole = rng.randint(0, min(99, 10 ** (precision - scale) - 1))
            text = f"CAST({rng.choice(['', '-'])}{whole}{f'.{rng.randint(0, 10 ** min(scale, 2) - 1):0{min(scale, 2)}}' if scale else ''} AS {kind})"
            return Node(kind, text)
        if kind == "STRING":
            return Node(kind, quoted(rng.choice(WORDS)))
        if kind == "BOOLEAN":
            return Node(kind, rng.choice(["TRUE", "FALSE"]))
        if kind == "DATE":
            return Node(kind, f"DATE '{rng.choice(DATES)}'")
        return Node(kind, f"CAST(TIMESTAMP '{rng.choice(TIMES)}' AS TIMESTAMP(3))")

    def leaf(self, kind, scope):
        columns = [c for c in scope if c.kind == kind]
        return self.rng.choice(columns).node() if columns and self.rng.random() < 0.85 else self.literal(kind)

    # -- by type

    def make(self, kind, scope, depth):
        """An expression of exactly this type."""
        rng = self.rng
        if depth <= 0 or rng.random() < 0.25:
            return self.leaf(kind, scope)
        if rng.random() < 0.18:
            return self._conditional(kind, scope, depth)
        if kind in BITS:
            return self._integer(kind, scope, depth)
        if kind in ("DOUBLE", "FLOAT"):
            return self._double(scope, depth) if kind == "DOUBLE" else self.leaf(kind, scope)
        if decimal(kind):
            return self._cast_decimal(kind, self._decimal(scope, depth - 1))
        return {"STRING": self._string, "BOOLEAN": self.condition, "DATE": self._date, "TIMESTAMP(3)": self._time}[kind](scope, depth)

    def any_kind(self, scope, also=("INT", "BIGINT", "STRING", "BOOLEAN", "DECIMAL(8,2)", "DOUBLE")):
        kinds = sorted({c.kind for c in scope})
        return self.rng.choice(kinds) if kinds and self.rng.random() < 0.7 else self.rng.choice(also)

    def any(self, scope, depth):
        if self.rng.random() < 0.1 and depth > 0:
            return self._decimal(scope, depth)   # of whatever type it gets
        return self.make(self.any_kind(scope), scope, depth)

    def _conditional(self, kind, scope, depth):
        rng = self.rng
        sub = lambda: self.make(kind, scope, depth - 1)
        pick = rng.randrange(7)
        if pick == 0:
            return Node(kind, "CASE WHEN $0 THEN $1 ELSE $2 END", [self.condition(scope, depth - 1), sub(), sub()])
        if pick == 1:
            return Node(kind, "CASE WHEN $0 THEN $1 WHEN $2 THEN $3 END", [self.condition(scope, depth - 1), sub(), self.condition(scope, depth - 1), sub()])
        if pick == 2:
            return Node(kind, "COALESCE($0, $1)", [sub(), sub()])
        if pick == 3:
            return Node(kind, "NULLIF($0, $1)", [sub(), sub()])
        if pick == 4:
            return Node(kind, "IF($0, $1, $2)", [self.condition(scope, depth - 1), sub(), sub()], duck="CASE WHEN $0 THEN $1 ELSE $2 END")
        if pick == 5 and kind not in ("BOOLEAN",):
            name = rng.choice(["GREATEST", "LEAST"])
            return Node(kind, f"{name}($0, $1)", [sub(), sub()], duck=f"CASE WHEN $0 IS NULL OR $1 IS NULL THEN NULL ELSE {name}($0, $1) END")
        other = self.make("INT", scope, depth - 1)
        return Node(kind, "CASE $0 WHEN 1 THEN $1 WHEN 2 THEN $2 ELSE $3 END", [other, sub(), sub(), sub()])

    def _integer(self, kind, scope, depth):
        rng = self.rng
        bits = BITS[kind]
        sub = lambda k=kind: self.make(k, scope, depth - 1)
        pick = rng.randrange(12)
        if pick < 4:
            operator = rng.choice("+-*")
            narrow = rng.choice([k for k in INTEGERS if BITS[k] <= bits])
            pair = [sub(), sub(narrow)]
            rng.shuffle(pair)
            return Node(kind, f"($0 {operator} $1)", pair, duck=f"w{bits}(CAST($0 AS HUGEINT) {operator} CAST($1 AS HUGEINT))")
        if pick == 4:
            return Node(kind, "($0 / NULLIF($1, CAST(0 AS {0})))".replace("{0}", kind), [sub(), sub()], duck=f"w{bits}(CAST($0 AS HUGEINT) // NULLIF(CAST($1 AS HUGEINT), 0))")
        if pick == 5:
            text = rng.choice(["($0 % NULLIF($1, CAST(0 AS {0})))", "MOD($0, NULLIF($1, CAST(0 AS {0})))"]).replace("{0}", kind)
            return Node(kind, text, [sub(), sub()], duck=f"w{bits}(CAST($0 AS HUGEINT) % NULLIF(CAST($1 AS HUGEINT), 0))")
        if pick == 6:
            return Node(kind, "(-$0)", [sub()], duck=f"w{bits}(-CAST($0 AS HUGEINT))")
        if pick == 7:
            return self._abs_or_sign(kind, bits, sub())
        if pick == 8:
            source = rng.choice([*INTEGERS, "DECIMAL(8,2)", "DECIMAL(5,3)", "DOUBLE"])
            inner = self.make(source, scope, depth - 1)
            whole = "$0" if source in BITS else "CAST(trunc($0) AS HUGEINT)"
            if source == "DOUBLE" or (bits < 32 and source not in BITS):   # what does not fit is another matter
                return Node(kind, f"CAST(CASE WHEN $0 BETWEEN -100 AND 100 THEN $0 END AS {kind})", [inner], duck=f"CAST(trunc(CASE WHEN $0 BETWEEN -100 AND 100 THEN $0 END) AS {duck_type(kind)})")
            return Node(kind, f"CAST($0 AS {kind})", [inner], duck=f"w{bits}({whole})")
        if pick > 9 and rng.random() < 0.3:   # of texts as they are in the tables: what is no number is NULL
            return Node(kind, f"TRY_CAST($0 AS {kind})", [self.leaf("STRING", scope)], duck=f"TRY_CAST($0 AS {duck_type(kind)})")
        if kind == "INT":
            text = self.make("STRING", scope, depth - 1)
            if pick == 9:
                return Node(kind, rng.choice(["CHAR_LENGTH($0)", "CHARACTER_LENGTH($0)"]), [text], duck="CAST(length($0) AS INTEGER)")
            if pick == 10:
                return Node(kind, rng.choice(["POSITION($1 IN $0)", "INSTR($0, $1)", "LOCATE($1, $0)"]), [text, self.make("STRING", scope, depth - 1)], duck="CAST(instr($0, $1) AS INTEGER)")
            unit = rng.choice(UNITS)
            return Node(kind, f"TIMESTAMPDIFF({unit}, $0, $1)", [self.make("TIMESTAMP(3)", scope, depth - 1), self.make("TIMESTAMP(3)", scope, depth - 1)], duck=f"w32(datesub('{unit}', $0, $1))")
        if kind == "BIGINT":
            unit = rng.choice(["YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"])
            form = rng.choice([f"EXTRACT({unit} FROM $0)", f"{unit if unit != 'DAY' else 'DAYOFMONTH'}($0)"])
            return Node(kind, form, [self.make("TIMESTAMP(3)", scope, depth - 1)], duck=f"CAST(EXTRACT({unit} FROM $0) AS BIGINT)")
        return self.leaf(kind, scope)

    def _abs_or_sign(self, kind, bits, inner):
        if self.rng.random() < 0.5:
            return Node(kind, "ABS($0)", [inner], duck=f"w{bits}(abs(CAST($0 AS HUGEINT)))")
        return Node(kind, "SIGN($0)", [inner], duck=f"CAST(sign($0) AS {duck_type(kind)})")

    def _double(self, scope, depth):
        rng = self.rng
        number = lambda: self.make(rng.choice(["DOUBLE", "DOUBLE", "INT", "BIGINT", "SMALLINT", "DECIMAL(8,2)"]), scope, depth - 1)
        pick = rng.randrange(7)
        if pick < 3:
            return Node("DOUBLE", f"($0 {'+-*'[pick]} CAST($1 AS DOUBLE))", [self.make("DOUBLE", scope, depth - 1), number()])
        if pick == 3:
            return Node("DOUBLE", "($0 / NULLIF($1, CAST(0 AS DOUBLE)))", [self.make("DOUBLE", scope, depth - 1), self.make("DOUBLE", scope, depth - 1)])
        if pick == 4:
            return Node("DOUBLE", rng.choice(["ABS($0)", "FLOOR($0)", "CEIL($0)", "(-$0)"]), [self.make("DOUBLE", scope, depth - 1)])
        if pick == 5:
            return Node("DOUBLE", "SQRT(ABS($0))", [self.make("DOUBLE", scope, depth - 1)])
        kind = rng.choice(["INT", "FLOAT", "TINYINT", "DECIMAL(8,2)", "BIGINT"])
        return Node("DOUBLE", "CAST($0 AS DOUBLE)", [self.make(kind, scope, depth - 1)])

    # DECIMALs: the result's type follows from the operands', by Flink's rules; all kept below 38 digits.

    def _cast_decimal(self, kind, inner):
        """To the type; what does not fit is NULL."""
        if inner.sort == kind:
            return inner
        return Node(kind, f"TRY_CAST($0 AS {kind})", [inner])

    def _decimal(self, scope, depth):
        rng = self.rng
        kinds = sorted({c.kind for c in scope if decimal(c.kind) and decimal(c.kind)[0] <= 12}) or ["DECIMAL(8,2)"]
        left, right = (self._decimal_operand(rng.choice(kinds), scope, depth - 1) for _ in range(2))
        (p1, s1), (p2, s2) = decimal(left.sort), decimal(right.sort)
        pick = rng.randrange(7)
        if pick < 2:
            scale = max(s1, s2)
            return Node(f"DECIMAL({max(p1 - s1, p2 - s2) + scale + 1},{scale})", f"($0 {'+-'[pick]} $1)", [left, right])
        if pick == 2:
            return Node(f"DECIMAL({p1 + p2 + 1},{s1 + s2})", "($0 * $1)", [left, right])
        if pick == 3:
            scale = max(6, s1 + p2 + 1)
            precision = p1 - s1 + s2 + scale
            if precision <= 34:
                return Node(f"DECIMAL({precision},{scale})", f"($0 / NULLIF($1, CAST(0 AS {right.sort})))", [left, right], duck=from_digits(f"quotient(digits($0), digits($1), {scale - s1 + s2})", scale))
            return left
        if pick == 4:
            return Node(left.sort, rng.choice(["(-$0)", "ABS($0)"]), [left])
        if pick == 5 and s1 > 0:
            digits = rng.randint(0, s1 - 1)
            return Node(f"DECIMAL({p1 - s1 + digits + 1},{digits})", f"ROUND($0, {digits})", [left], duck=f"CAST(round($0, {digits}) AS DECIMAL({p1 - s1 + digits + 1},{digits}))")
        return Node(f"DECIMAL({p1},0)", rng.choice(["FLOOR($0)", "CEIL($0)"]), [left])

    def _decimal_operand(self, kind, scope, depth):
        rng = self.rng
        if depth > 0 and rng.random() < 0.3:
            inner = self._decimal(scope, depth)
            return inner if decimal(inner.sort)[0] <= 14 else Node("DECIMAL(12,3)", "TRY_CAST($0 AS DECIMAL(12,3))", [inner])
        if rng.random() < 0.2:
            return Node("DECIMAL(3,2)", f"{rng.randint(0, 9)}.{rng.randint(0, 99):02}") if rng.random() < 0.8 else Node("DECIMAL(10,0)", "CAST($0 AS DECIMAL(10,0))", [self.make("INT", scope, depth - 1)])
        if rng.random() < 0.3:
            return Node("DECIMAL(12,1)", "($0 + 0.5)", [self.make("INT", scope, depth - 1)])
        return self.leaf(kind, scope)

    def _string(self, scope, depth):
        rng = self.rng
        sub = lambda: self.make("STRING", scope, depth - 1)
        n, m = rng.randint(1, 4), rng.randint(0, 4)
        pick = rng.randrange(28)
        simple = {21: ("TRANSLATE($0, 'ab', 'xy')", None, 1), 22: ("REGEXP_REPLACE($0, '[ab]+', '#')", "regexp_replace($0, '[ab]+', '#', 'g')", 1), 23: ("TO_BASE64($0)", "to_base64(encode($0))", 1),
                  24: ("JSON_VALUE(JSON_OBJECT('k' VALUE $0), '$.k')", "$0", 1), 25: ("SHA256($0)", None, 1), 26: ("JSON_VALUE(JSON_ARRAY($0, $1 NULL ON NULL), '$[-1]')", "$1", 2), 27: ("REGEXP_EXTRACT($0, '([ab])(.*)', 1)", "CASE WHEN regexp_matches($0, '[ab]') THEN regexp_extract($0, '([ab])(.*)', 1) END", 1),
                  0: ("($0 || $1)", None, 2), 1: ("CONCAT($0, $1)", "($0 || $1)", 2), 2: ("UPPER($0)", None, 1), 3: ("LOWER($0)", None, 1), 4: (f"SUBSTRING($0, {n})", None, 1),
                  5: (f"SUBSTRING($0 FROM {n} FOR {m})", None, 1), 6: ("REPLACE($0, NULLIF($1, ''), $2)", None, 3), 7: (f"LEFT($0, {m})", None, 1), 8: (f"RIGHT($0, {m})", None, 1), 9: ("TRIM($0)", None, 1),
                  10: (f"LPAD($0, {m + 2}, 'xy')", None, 1), 11: (f"RPAD($0, {m + 2}, '*')", None, 1), 12: (f"REPEAT($0, {m})", None, 1), 13: ("MD5($0)", None, 1), 17: ("REVERSE($0)", None, 1), 18: (rng.choice(["LTRIM($0)", "RTRIM($0)"]), None, 1), 19: ("CONCAT_WS($0, $1, $2)", None, 3), 20: ("BTRIM($0, 'ab')", "trim($0, 'ab')", 1)}
        if pick in simple:
            supyo, duck, arity = simple[pick]
            return Node("STRING", supyo, [sub() for _ in range(arity)], duck=duck)
        if pick == 14:
            kind = rng.choice(["INT", "BIGINT", "SMALLINT", "DECIMAL(8,2)", "DATE", "BOOLEAN", "TIMESTAMP(3)"])
            duck = {"BOOLEAN": "upper(CAST($0 AS VARCHAR))", "TIMESTAMP(3)": "strftime($0, '%Y-%m-%d %H:%M:%S.%g')"}.get(kind, "CAST($0 AS VARCHAR)")
            return Node("STRING", "CAST($0 AS STRING)", [self.make(kind, scope, depth - 1)], duck=duck)
        if pick == 15:
            # A field that is not there is NULL in Flink.
            return Node("STRING", f"SPLIT_INDEX($0, ',', {m})", [sub()], duck=f"CASE WHEN $0 = '' THEN NULL WHEN length($0) - length(replace($0, ',', '')) >= {m} THEN split_part($0, ',', {m + 1}) END")
        return Node("STRING", "DATE_FORMAT($0, 'yyyy/MM/dd HH:mm')", [self.make("TIMESTAMP(3)", scope, depth - 1)], duck="strftime($0, '%Y/%m/%d %H:%M')")

    def _date(self, scope, depth):
        rng = self.rng
        if rng.random() < 0.5:
            return Node("DATE", "CAST($0 AS DATE)", [self.make("TIMESTAMP(3)", scope, depth - 1)])
        unit, n = rng.choice([("DAY", rng.randint(0, 40)), ("MONTH", rng.randint(0, 14)), ("YEAR", 1)])
        sign = rng.choice("+-")
        return Node("DATE", f"($0 {sign} INTERVAL '{n}' {unit})", [self.make("DATE", scope, depth - 1)], duck=f"CAST($0 {sign} INTERVAL '{n}' {unit} AS DATE)")

    def _time(self, scope, depth):
        rng = self.rng
        inner = self.make("TIMESTAMP(3)", scope, depth - 1)
        if rng.random() < 0.4:
            unit = rng.choice(["YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"])
            return Node("TIMESTAMP(3)", f"FLOOR($0 TO {unit})", [inner], duck=f"CAST(date_trunc('{unit}', $0) AS TIMESTAMP)")
        if rng.random() < 0.2:
            return Node("TIMESTAMP(3)", "CAST($0 AS TIMESTAMP(3))", [self.make("DATE", scope, depth - 1)], duck="CAST($0 AS TIMESTAMP)")
        if rng.random() < 0.2:
            sign = rng.choice("+-")
            return Node("TIMESTAMP(3)", f"($0 {sign} ($1 - $2) {rng.choice(['DAY TO SECOND', 'SECOND', 'HOUR TO MINUTE'])})", [self.leaf("TIMESTAMP(3)", scope) for _ in range(3)],
                        duck=f"make_timestamp((ms($0) {sign} (ms($1) - ms($2))) * 1000)")
        unit, n = rng.choice([("DAY", rng.randint(0, 40)), ("MONTH", rng.randint(0, 14)), ("SECOND", rng.randint(0, 99)), ("HOUR", 5), ("MINUTE", 61)])
        return Node("TIMESTAMP(3)", f"($0 {rng.choice('+-')} INTERVAL '{n}' {unit}{'(3)' if n > 99 else ''})", [inner])

    # -- conditions

    def condition(self, scope, depth):
        rng = self.rng
        if depth <= 0:
            return self.leaf("BOOLEAN", scope) if rng.random() < 0.3 else self._comparison(scope, 0)
        pick = rng.randrange(16)
        sub = lambda: self.condition(scope, depth - 1)
        if pick < 2:
            return Node("BOOLEAN", f"($0 {['AND', 'OR'][pick]} $1)", [sub(), sub()])
        if pick == 2:
            return Node("BOOLEAN", "(NOT $0)", [sub()])
        if pick == 3:
            return Node("BOOLEAN", f"($0 IS {rng.choice(['', 'NOT '])}{rng.choice(['TRUE', 'FALSE'])})", [sub()])
        if pick == 4:
            negated = rng.choice(["", "NOT "])
            return Node("BOOLEAN", f"($0 IS {negated}UNKNOWN)", [sub()], duck=f"($0 IS {negated}NULL)")
        if pick == 5:
            return Node("BOOLEAN", f"($0 IS {rng.choice(['', 'NOT '])}NULL)", [self.any(scope, depth - 1)])
        kind = self.any_kind(scope)
        if pick == 6:
            return Node("BOOLEAN", f"($0 {rng.choice(['', 'NOT '])}BETWEEN $1 AND $2)", [self.make(kind, scope, depth - 1) for _ in range(3)]) if kind != "BOOLEAN" else sub()
        if pick == 7:
            return Node("BOOLEAN", f"($0 {rng.choice(['', 'NOT '])}IN ($1))", [self.make(kind, scope, depth - 1), Series(", ", [self.make(kind, scope, 0) for _ in range(rng.randint(1, 4))])])
        if pick == 8:
            return Node("BOOLEAN", f"($0 IS {rng.choice(['', 'NOT '])}DISTINCT FROM $1)", [self.make(kind, scope, depth - 1), self.make(kind, scope, depth - 1)])
        if pick == 9:
            pattern = rng.choice(["a%", "%b", "%a%", "_", "__", "%", "", "a_b", "%é%", "100%", "_,_"])
            return Node("BOOLEAN", f"($0 {rng.choice(['', 'NOT '])}LIKE {quoted(pattern)})", [self.make("STRING", scope, depth - 1)])
        if pick == 10:
            name = rng.choice(["STARTSWITH", "ENDSWITH"])
            return Node("BOOLEAN", f"{name}($0, $1)", [self.make("STRING", scope, depth - 1), self.make("STRING", scope, depth - 1)], duck={"STARTSWITH": "starts_with($0, $1)", "ENDSWITH": "ends_with($0, $1)"}[name])
        if pick == 11:
            hours, operator = rng.choice([0, 1, 24, 99]), rng.choice(["<", "<=", ">", ">=", "=", "<>"])
            return Node("BOOLEAN", f"(($0 - $1) DAY TO SECOND {operator} INTERVAL '{hours}' HOUR)", [self.make("TIMESTAMP(3)", scope, depth - 1) for _ in range(2)], duck=f"(ms($0) - ms($1) {operator} {hours * 3_600_000})")
        if pick == 12:
            return Node("BOOLEAN", "REGEXP($0, '^[ab]|é')", [self.make("STRING", scope, depth - 1)], duck="regexp_matches($0, '^[ab]|é')")
        if pick == 13:
            negated = rng.choice(["", "NOT "])
            return Node("BOOLEAN", f"($0 {negated}SIMILAR TO '(a|b)%')", [self.make("STRING", scope, depth - 1)], duck=f"({negated}regexp_full_match($0, '(a|b)(.|\\n)*'))")
        return self._comparison(scope, depth - 1)

    def _comparison(self, scope, depth):
        rng = self.rng
        kind = self.any_kind(scope)
        other = kind
        if kind in BITS:
            other = rng.choice([kind, *INTEGERS, "DECIMAL(8,2)"])
        elif decimal(kind):
            other = rng.choice([kind, "DECIMAL(5,3)", "INT", "DOUBLE"])
        return Node("BOOLEAN", f"($0 {rng.choice(['=', '<>', '<', '<=', '>', '>='])} $1)", [self.make(kind, scope, depth), self.make(other, scope, depth)])
