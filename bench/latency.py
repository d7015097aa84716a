"""End-to-end latency of an exactly-once job, embedded log to embedded log, as a separate process sees it that reads committed rows only.

Three processes: `supyo gen --live` writes each event when it is due, `supyo run` copies them with short epochs, and `supyo log cat --follow` reads what is
committed. Latency of a row = the moment its line arrives here minus the moment the event was due, so the generator's own wait and sync count too.

latency.py [--rate 50000] [--epoch 20ms] [--seconds 60] [--runs 3] [--json]     needs build/release/supyo
"""
import argparse
import calendar
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time

SUPYO = os.path.abspath(os.environ.get("SUPYO", "build/release/supyo"))
WORK = os.path.abspath("build/bench-latency")
WARM_UP_S = 3
EVERY = 20  # one row in so many is timed: Python shall not take the processor from what it measures


def table(name, topic, options=""):
    return (f"CREATE TABLE {name} (event_id BIGINT, product_id STRING, price BIGINT, ingest_time TIMESTAMP(3)) WITH ('connector'='kafka','topic'='{topic}',"
            f"'properties.bootstrap.servers'='embedded:{WORK}/log','format'='json'{options});\n")


def run(args):
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    with open(f"{WORK}/copy.sql", "w") as f:
        f.write(f"SET 'execution.checkpointing.interval' = '{args.epoch}';\n" + table("i", "in", ",'scan.startup.mode'='earliest-offset'") +
                table("o", "out", ",'sink.delivery-guarantee'='exactly-once','sink.transactional-id-prefix'='latency'") + "INSERT INTO o SELECT * FROM i;\n")
    gen = subprocess.Popen([SUPYO, "gen", "product", "--live", "--tps", str(args.rate), "--to", f"embedded:{WORK}/log/in"], stderr=subprocess.DEVNULL)
    while not os.path.exists(f"{WORK}/log/in/topic"):
        time.sleep(0.05)
    with open(f"{WORK}/job.log", "w") as log:
        job = subprocess.Popen([SUPYO, "run", "copy.sql", "--state", "state"], cwd=WORK, stdout=log, stderr=log)
    while not os.path.exists(f"{WORK}/log/out/topic"):
        if job.poll() is not None:
            sys.exit(open(f"{WORK}/job.log").read())
        time.sleep(0.05)
    reader = subprocess.Popen([SUPYO, "log", "cat", f"{WORK}/log/out", "--follow"], stdout=subprocess.PIPE)
    latencies, seen, rest = [], 0, b""
    begin = time.time()
    while True:
        chunk = os.read(reader.stdout.fileno(), 1 << 20)
        now = time.time()
        if not chunk or now - begin > args.seconds + WARM_UP_S:
            break
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        for k in range(-seen % EVERY, len(lines), EVERY):
            text = json.loads(lines[k])["ingest_time"]
            due = calendar.timegm(time.strptime(text[:19], "%Y-%m-%d %H:%M:%S")) + float(text[19:] or 0)
            if now - begin > WARM_UP_S:
                latencies.append((now - due) * 1000)
        seen += len(lines)
    for p in (reader, job, gen):
        p.send_signal(signal.SIGINT)
    reader.stdout.close()
    for p in (reader, job, gen):
        p.wait(timeout=60)
    if len(latencies) * EVERY < 0.9 * args.rate * args.seconds:
        sys.exit(f"only {len(latencies) * EVERY:,} of {args.rate * args.seconds:,} rows arrived: the job does not keep up, so there is no latency to state")
    latencies.sort()
    return {f"p{q}": round(latencies[min(len(latencies) - 1, len(latencies) * q // 100)], 1) for q in (50, 95, 99)} | {"max": round(latencies[-1], 1)}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--rate", type=int, default=50_000)
    p.add_argument("--epoch", default="20ms")
    p.add_argument("--seconds", type=int, default=60)
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--json", action="store_true")
    args = p.parse_args()
    runs = []
    for _ in range(args.runs):
        runs.append(run(args))
        if not args.json:
            print("  ".join(f"{k} {v:6.1f} ms" for k, v in runs[-1].items()), flush=True)
    median = statistics.median(r["p99"] for r in runs)
    shutil.rmtree(WORK, ignore_errors=True)
    if args.json:
        print(json.dumps({"rate": args.rate, "epoch": args.epoch, "seconds": args.seconds, "runs": runs, "median_p99_ms": median}))
    else:
        print(f"{args.rate:,} rows/s, {args.epoch} epochs, exactly once: p99 {median:.1f} ms (median of {args.runs} runs of {args.seconds} s)")


if __name__ == "__main__":
    main()
