"""`supyo diagnose --flink` on a real Flink 2.1.3: a job with checkpoints whose sink is too slow for its source, seen over REST, beside an embedded broker.

Run: build/venv/bin/python tests/watch/flink.py SUPYO. Needs a JDK (and, once, pip and Maven).
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "broker"))
import flink_cluster  # noqa: E402

SUPYO = sys.argv[1]
# REGEXP_REPLACE over a long text costs enough to hold back a source of as many records as it likes.
SQL = """
CREATE TABLE clicks (id BIGINT, ts AS PROCTIME(), event_time TIMESTAMP_LTZ(3), WATERMARK FOR event_time AS event_time - INTERVAL '1' SECOND) WITH ('connector' = 'datagen', 'rows-per-second' = '100000', 'fields.event_time.max-past' = '1s');
CREATE TABLE counts (id BIGINT, t STRING) WITH ('connector' = 'blackhole');
INSERT INTO counts SELECT id, REGEXP_REPLACE(REPEAT(CAST(id AS STRING), 200), '([0-9])([0-9])+', '$2$1') FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY id ORDER BY ts) AS n FROM clicks) WHERE n = 1;
"""


def get(rest, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{rest}{path}", timeout=10) as answer:
        return json.load(answer)


def main():
    flink_cluster.TASK_HEAP = 768 << 20
    with tempfile.TemporaryDirectory() as work:
        broker = subprocess.Popen([SUPYO, "broker", "--data", work + "/log", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        try:
            address = broker.stdout.readline().split()[2].rstrip(",")
            with flink_cluster.Cluster(work) as flink:
                settings = ["execution.checkpointing.interval=2 s", "pipeline.name=orders", "pipeline.operator-chaining.enabled=false", "state.backend.type=hashmap"]

                ended = []

                def run():
                    try:
                        flink.run(SQL, settings, timeout=300)
                    except (RuntimeError, subprocess.TimeoutExpired) as error:
                        ended.append(str(error))   # in the end it is cancelled

                threading.Thread(target=run, daemon=True).start()
                limit = time.monotonic() + 180
                while not any(j["state"] == "RUNNING" and get(flink.rest, f"/jobs/{j['jid']}/checkpoints")["counts"]["completed"] > 0 for j in get(flink.rest, "/jobs/overview")["jobs"]):
                    if time.monotonic() > limit or ended:
                        sys.exit(f"the job makes no checkpoint: {ended}")
                    time.sleep(0.5)
                seen = subprocess.run([SUPYO, "diagnose", "--bootstrap", address, "--flink", f"http://127.0.0.1:{flink.rest}", "--for", "20s", "--every", "2s", "--json"], capture_output=True, text=True, timeout=120, check=False)
                report = json.loads(seen.stdout)
                jid = get(flink.rest, "/jobs/overview")["jobs"][0]["jid"]
                told = get(flink.rest, f"/jobs/{jid}/checkpoints")
                urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{flink.rest}/jobs/{jid}?mode=cancel", method="PATCH"), timeout=10)
        finally:
            broker.terminate()
            broker.wait(20)
    job = next(iter(report["jobs"]), None)
    print(json.dumps(job)[:1500])
    print([f["cause"] + ": " + f["what"] for f in report["cluster"]])
    problems = []
    if job is None or job["name"] != "orders" or job["state"] != "RUNNING":
        problems.append(f"no running job is seen: {report['jobs']} {report['problems']}")
    else:
        if not 1 <= job["checkpoints_completed"] <= told["counts"]["completed"]:
            problems.append(f"checkpoints: {job['checkpoints_completed']} of {told['counts']}")
        if job["checkpoint_interval_s"] != 2 or job["last_checkpoint_s"] is None:
            problems.append("the checkpoints' interval or duration is not told")
        if len(job["vertices"]) < 2 or max(v["busy"] for v in job["vertices"]) <= 0 or max(v["records_out_per_s"] for v in job["vertices"]) <= 0:
            problems.append(f"busy shares and rates: {job['vertices']}")
        if max(v["backpressured"] for v in job["vertices"]) > 0.5 and not any(f["cause"] in ("processing-bottleneck", "sink-backpressure") for f in report["cluster"]):
            problems.append("a source is held back, and no finding says by whom")
    if problems:
        sys.exit("\n".join(problems))
    print("ok")


if __name__ == "__main__":
    main()
