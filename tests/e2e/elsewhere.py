"""A pipeline that runs elsewhere is judged by what stands in its result topic (`supyo run --results-of`): a quiet night is good, a job that is dead is an incident, and brokers that do not answer are unknown.

The pipeline is one of Supyo's own jobs, in a process that knows nothing of the judge; the brokers are `supyo broker`."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

from consume import Broker
from supyo import BINARY, run

COLUMNS = "event_id BIGINT, event_time TIMESTAMP(3), WATERMARK FOR event_time AS event_time"
PATIENCE_S = 120


def table(name, broker, options):
    return f"CREATE TABLE {name} ({COLUMNS}) WITH ('connector' = 'kafka', 'topic' = '{name}', 'properties.bootstrap.servers' = '{broker.address}', 'format' = 'json'{options});\n"


def objective(measure, value):
    return f"""---
apiVersion: openslo/v1
kind: SLO
metadata: {{name: {measure.replace("_", "-")}, annotations: {{supyo.dev/role: deciding}}}}
spec:
  service: elsewhere
  indicator: {{metadata: {{name: {measure.replace("_", "-")}}}, spec: {{thresholdMetric: {{metricSource: {{type: supyo, spec: {{measure: {measure}}}}}}}}}}}
  timeWindow: [{{duration: 30s, isRolling: true}}]
  budgetingMethod: {"Timeslices" if measure == "freshness" else "Occurrences"}
  objectives: [{{op: lt, value: {value}, target: 0.8}}]
"""


class Judge:
    def __init__(self, directory, broker):
        with open(f"{directory}/judge.sql", "w", encoding="utf-8") as f:
            f.write("SET 'execution.checkpointing.interval' = '500 ms';\n" + table("results", broker, ", 'scan.startup.mode' = 'latest-offset', 'properties.isolation.level' = 'read_committed'") +
                    "CREATE TABLE seen (event_id BIGINT, event_time TIMESTAMP(3)) WITH ('connector' = 'blackhole');\nINSERT INTO seen SELECT event_id, event_time FROM results;\n")
        with open(f"{directory}/slo.yaml", "w", encoding="utf-8") as f:
            f.write(objective("end_to_end_latency", 5) + objective("freshness", 5))
        self.process = subprocess.Popen([BINARY, "run", f"{directory}/judge.sql", "--slo", f"{directory}/slo.yaml", "--results-of", f"kafka://{broker.address}/elsewhere", "--serve", "0"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        while not line.startswith("serving "):
            assert line, "the judge did not start"
            line = self.process.stderr.readline()
        self.url = line.split()[1]

    def said(self):
        with urllib.request.urlopen(self.url + "v1/slo", timeout=30) as answer:
            return json.loads(answer.read())

    def until(self, state):
        end = time.monotonic() + PATIENCE_S
        said = self.said()
        while said["state"] != state:
            assert time.monotonic() < end and self.process.poll() is None, f"not {state} but {said['state']}: {said['reasons']}"
            time.sleep(0.2)
            said = self.said()
        return said


def main():
    directory = tempfile.mkdtemp(prefix="supyo-elsewhere-")
    broker = Broker(f"{directory}/log")
    processes = []

    def start(*args):
        processes.append(subprocess.Popen([BINARY, *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return processes[-1]

    def orders():
        return start("gen", "order", "--live", "--tps", "50", "--disorder", "200ms", "--to", f"kafka://{broker.address}/orders")

    try:
        with open(f"{directory}/job.sql", "w", encoding="utf-8") as f:
            f.write("SET 'execution.checkpointing.interval' = '500 ms';\n" + table("orders", broker, ", 'scan.startup.mode' = 'earliest-offset', 'properties.group.id' = 'elsewhere'") + table("results", broker, "") +
                    "INSERT INTO results SELECT event_id, event_time FROM orders;\n")
        for topic in ("orders", "results"):   # made by the first record
            run("gen", "order", "--count", "1", "--live", "--to", f"kafka://{broker.address}/{topic}")
        gen = orders()
        job = start("run", f"{directory}/job.sql", "--state", f"{directory}/state")
        judge = Judge(directory, broker)
        processes.append(judge.process)
        judge.until("OK")
        gen.send_signal(signal.SIGINT)
        gen.wait(60)
        for _ in range(40):   # three times as long as results may be old
            time.sleep(0.4)
            said = judge.said()
            assert said["state"] == "OK", f"a quiet night is {said['state']}: {said['reasons']}"
        print("quiet for 16 s, results may be 5 s old: OK, since the job has read all there is")
        broker.process.send_signal(signal.SIGSTOP)
        why = judge.until("UNKNOWN")["reasons"]
        broker.process.send_signal(signal.SIGCONT)
        judge.until("OK")
        print(f"brokers that do not answer: UNKNOWN ({why[0]}); they answer again: OK")
        job.send_signal(signal.SIGKILL)
        job.wait(60)
        orders()
        print(f"the job is dead and orders come: INCIDENT ({judge.until('INCIDENT')['reasons'][0]})")
    finally:
        for p in processes:
            p.kill()
            p.wait()
        broker.process.send_signal(signal.SIGCONT)
        broker.process.kill()
        broker.process.wait()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
