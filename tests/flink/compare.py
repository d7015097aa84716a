"""Rows and types of both sides in one form."""
import collections
import math
import re
import struct

FLOATING = ("FLOAT", "DOUBLE")
UNITS = (86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000)


def type_name(name):
    name = re.sub(r" NOT NULL| \*ROWTIME\*| \*PROCTIME\*", "", name.strip())
    name = name.replace("WITH LOCAL TIME ZONE", "LTZ")
    name = re.sub(r"TIMESTAMP\((\d+)\) LTZ", r"TIMESTAMP_LTZ(\1)", name)
    name = name.replace("VARCHAR(2147483647)", "STRING").replace("VARBINARY(2147483647)", "BYTES").replace("BYTES(2147483647)", "BYTES")
    name = re.sub(r"(VAR)?CHAR\(\d+\)", "STRING", re.sub(r"(VAR)?BINARY\(\d+\)", "BYTES", name))   # lengths: docs/flink-differences.md
    if name.startswith("INTERVAL"):
        name = "INTERVAL MONTH" if re.search("YEAR|MONTH", name) else "INTERVAL SECOND"
    return re.sub(r",\s+", ",", name)


def interval(text):
    """Supyo's text of an interval in microseconds, or in months."""
    months = re.fullmatch(r"([+-])(\d+)-(\d+)", text)
    if months:
        return str(int(months[1] + "1") * (12 * int(months[2]) + int(months[3])))
    days = re.fullmatch(r"([+-])(\d+) (\d+):(\d+):(\d+)\.(\d+)", text)
    if not days:
        return text
    parts = [int(days[i]) for i in range(2, 6)]
    return str(int(days[1] + "1") * (sum(a * b for a, b in zip(parts, UNITS)) + int(days[6].ljust(6, "0"))))


def value(text, kind, ours):
    if text is None:
        return None
    if kind.startswith(("TIME", "DATE")) and "." in text:
        text = text.rstrip("0").rstrip(".")
    if ours and kind.startswith("INTERVAL"):
        return interval(text)
    if kind in FLOATING:
        number = float(text.replace("Infinity", "inf"))
        return number if kind == "DOUBLE" or not abs(number) < 3.4e38 else struct.unpack("f", struct.pack("f", number))[0]   # many texts stand for one FLOAT
    return text


def folded(rows):
    """A changelog's end: [[kind, value, ..]] -> rows that are left. None when it takes back what is not there."""
    left = collections.Counter()
    for kind, *row in rows:
        left[tuple(row)] += 1 if kind in ("+I", "+U") else -1
    return None if any(n < 0 for n in left.values()) else [list(row) for row in left.elements()]


def same_value(a, b):
    """Floating-point functions may differ in the last bits: the libraries do."""
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b)) or abs(a - b) <= 1e-13 * max(abs(a), abs(b))
    return a == b


def order(row):
    return [(v is None, f"{v:.9e}" if isinstance(v, float) else str(v)) for v in row]


def same_rows(ours, theirs):
    return len(ours) == len(theirs) and all(len(a) == len(b) and all(map(same_value, a, b)) for a, b in zip(sorted(ours, key=order), sorted(theirs, key=order)))
