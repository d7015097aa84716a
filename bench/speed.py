"""Speed of the hot paths beside baselines on the same bytes, in rows per CPU-second of the whole process (user + system, from the system's accounting).

speed.py [--rows N]     needs build/release/supyo and build/venv; medians of three runs
"""
import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys

SUPYO = os.path.abspath(os.environ.get("SUPYO", "build/release/supyo"))
WORK = os.path.abspath("build/bench-data")
COLUMNS = "auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, date_time TIMESTAMP(3), extra STRING"


def cpu_of(command, **kwargs):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, cwd=WORK, **kwargs)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 3, 4):
        sys.exit(f"{command} ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-2000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def bids(rows):
    mask = (1 << 64) - 1
    with open(f"{WORK}/bids.json", "w") as f:
        for i in range(rows):
            r = (i * 0x9E3779B97F4A7C15) & mask
            r ^= r >> 29
            ms = i // 10
            f.write('{"auction":%d,"bidder":%d,"price":%d,"channel":"Google","url":"https://shop.example/item.htm?query=%d","date_time":"2026-01-01 %02d:%02d:%02d.%03d","extra":"%016x"}\n'
                    % (1000 + r % 10000, 2000 + r % 50000, r % 1000000, r % 100, ms // 3600000 % 24, ms // 60000 % 60, ms // 1000 % 60, ms % 1000, r))


def log_table(name, columns, fmt, watermark=""):
    return (f"CREATE TABLE {name} ({columns}{watermark}) WITH ('connector'='kafka','topic'='bids','properties.bootstrap.servers'='embedded:{WORK}/log',"
            f"'scan.startup.mode'='earliest-offset','scan.bounded.mode'='latest-offset','format'='{fmt}');\n")


PIPELINES = {
    "pass-through of 7-field JSON bids": log_table("b", COLUMNS, "json", ", WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND")
    + f"CREATE TABLE o ({COLUMNS}) WITH ('connector'='blackhole');\nINSERT INTO o SELECT * FROM b;\n",
    "tumbling count per key": log_table("b", COLUMNS, "json", ", WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND")
    + "CREATE TABLE o (auction BIGINT, s TIMESTAMP(3), n BIGINT) WITH ('connector'='blackhole');\n"
    "INSERT INTO o SELECT auction, window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE b, DESCRIPTOR(date_time), INTERVAL '10' SECOND)) GROUP BY auction, window_start, window_end;\n",
}
DUCKDB = ("import duckdb; c = duckdb.connect(); c.execute('SET threads = 1'); "
          "c.execute(\"SELECT sum(n) FROM (SELECT auction, time_bucket(INTERVAL 10 SECOND, date_time) AS s, count(*) AS n "
          "FROM read_json('bids.json', format = 'newline_delimited', columns = {auction: 'BIGINT', date_time: 'TIMESTAMP'}) GROUP BY ALL)\").fetchall()")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--rows", type=int, default=2_000_000)
    p.add_argument("--json", action="store_true")
    args = p.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    bids(args.rows)
    shutil.copy("examples/product/slo.yaml", WORK)
    with open(f"{WORK}/ingest.sql", "w") as f:
        f.write("CREATE TABLE f (line STRING) WITH ('connector'='filesystem','path'='bids.json','format'='raw');\n" + log_table("l", "line STRING", "raw") +
                "INSERT INTO l SELECT line FROM f;\n")
    cpu_of([SUPYO, "run", "ingest.sql", "--state", "ingest-state"])
    result = {}
    for name, sql in PIPELINES.items():
        with open(f"{WORK}/p.sql", "w") as f:
            f.write(sql)
        # origins on: a judge listens
        seconds = statistics.median(cpu_of([SUPYO, "run", "p.sql", "--slo", "slo.yaml", "--set", "execution.checkpointing.interval=100ms"]) for _ in range(3))
        result[name] = args.rows / seconds
    venv = os.path.abspath("build/venv/bin/python")
    start = cpu_of([venv, "-c", "import duckdb"])
    batch = statistics.median(cpu_of([venv, "-c", DUCKDB]) for _ in range(3))
    result["DuckDB's batch of the same count (baseline)"] = args.rows / (batch - start)
    bare = "build/bench/supyo_data_formats_json_bench"
    if os.path.exists(bare):
        out = json.loads(subprocess.run([bare, "--benchmark_filter=BM_BareSimdjson", "--benchmark_format=json"], capture_output=True, text=True).stdout)
        result["bare simdjson loop over seven fields (baseline)"] = out["benchmarks"][0]["items_per_second"]
    if args.json:
        print(json.dumps(result))
        return
    for name, rate in result.items():
        print(f"{name:55} {rate / 1e6:6.2f} M rows per CPU-second")


if __name__ == "__main__":
    main()
