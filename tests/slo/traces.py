"""The judge and the rules that it writes, over twenty drawn traces in a real Prometheus: the same alerts, within one evaluation.

traces.py    SUPYO_JUDGE_TEST names the test program that plays the traces; needs prometheus (Debian).
A server is given what a judged job would have exported as blocks of its own, makes the recording rules' series of them (promtool tsdb create-blocks-from),
and is asked for every alert's expression at every evaluation. promtool's rule tests over the same traces are in src/judge/slo/agreement_test.cc.
"""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from live import free_port, get, wait  # noqa: E402

PROGRAM = os.path.abspath(os.environ.get("SUPYO_JUDGE_TEST", "build/dev/supyo_judge_slo_test"))
PLANTED = (" + sum(supyo_slo_unfinished_bad_events", " + 0 * sum(supyo_slo_unfinished_bad_events")


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def open_metrics(traces):
    """One family after the other, as the format asks."""
    out = []
    for series in traces[0]["series"]:
        counter = series.endswith("_total")
        out.append(f"# TYPE supyo_slo_{series.removesuffix('_total')} {'counter' if counter else 'gauge'}")
        for t in traces:
            labels = f'{{objective="{t["objective"]}",service="{t["service"]}"}}'
            out += [f"supyo_slo_{series}{labels} {v} {t['start'] + i * t['step']}" for i, v in enumerate(t["series"][series].split()) if v != "_"]
    return "\n".join(out) + "\n# EOF\n"


class Server:
    """Prometheus over a directory of blocks, for a with statement."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)

    def __init__(self, directory, lookback=300):
        self.port = free_port()
        with open(os.path.join(directory, "prometheus.yml"), "w") as f:
            f.write("global: {scrape_interval: 1h, evaluation_interval: 15s}\nrule_files: [rules.yml]\n")
        self.process = subprocess.Popen(["prometheus", f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data", "--storage.tsdb.retention.time=50y",
                                         f"--query.lookback-delta={lookback}s", f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=error"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not wait("Prometheus is ready", lambda: get(self.port, "/-/ready"), 60):
            self.__exit__()
            sys.exit(1)

    def range(self, expr, start, end, step):
        """At which evaluations the expression has any sample."""
        query = urllib.parse.urlencode({"query": expr, "start": start, "end": end, "step": step})
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/query_range?{query}", timeout=60) as answer:
            result = json.load(answer)["data"]["result"]
        return {round(float(at)) for series in result for at, _ in series["values"]}

    def alerts(self):
        """(alert, objective, burn) -> expression and how often it is evaluated, in seconds, as the server read them from the rule file."""
        groups = json.loads(get(self.port, "/api/v1/rules?type=alert")[1])["data"]["groups"]
        rules = [(rule, group["interval"]) for group in groups for rule in group["rules"] if "objective" in rule["labels"]]
        return {(r["name"], r["labels"]["objective"], r["labels"].get("burn", "")): (r["query"], every) for r, every in rules}


def unsure(trace):
    """Evaluations of which Prometheus knows less than the judge: it had no scrape, or none when one of the windows began."""
    blind = [b == "1" for b in trace["blind"]]
    back = [w // trace["step"] for w in trace["windows"]]
    return [b or any(k >= n and blind[k - n] for n in back) for k, b in enumerate(blind)]


def intervals(bits):
    return sum(b and not (k and bits[k - 1]) for k, b in enumerate(bits))


def compare(directory, traces):
    """Traces with the same intervals of every alert, evaluations that were compared and that fired, intervals, and what differs: (trace, alert, burn) -> evaluations."""
    agreed, asked, firing, found, differ = {t["objective"] for t in traces}, 0, 0, 0, {}
    for interval in (15, 60):
        # A server that evaluates rules ends a series that a rule no longer gives; blocks have no such mark, so what is older than one evaluation must not count.
        with Server(directory, interval) as server:
            alerts = server.alerts()
            for t, alert in ((t, alert) for t in traces for alert in t["alerts"]):
                times = [t["start"] + k * t["step"] for k in range(len(t["blind"]))]
                expr, every = alerts[alert["alert"], t["objective"], alert["burn"]]
                if every != interval:
                    continue
                # promtool leaves out an evaluation that falls into the last second of a block of two hours.
                skip, there = [u or at % 7200 == 0 for u, at in zip(unsure(t), times)], server.range(expr, times[0], times[-1], t["step"])
                judge, prometheus = [b == "1" for b in alert["firing"]], [at in there for at in times]
                found += intervals(judge)
                # One evaluation of the rule, which lies anywhere between two scrapes.
                late = -(-every // t["step"]) + (every > t["step"])
                for k in range(late, len(times) - late):
                    near = slice(k - late, k + late + 1)
                    if any(skip[near]):
                        continue
                    asked += 1
                    firing += judge[k]
                    if prometheus[k] not in judge[near] or judge[k] not in prometheus[near]:
                        agreed.discard(t["objective"])
                        differ.setdefault((t["objective"], alert["alert"], alert["burn"]), []).append(k)
    return len(agreed), asked, firing, found, differ


def blocks(directory, traces, rules):
    """Blocks of what was exported, and of the recording rules over it."""
    data = os.path.join(directory, "data")
    shutil.rmtree(data, ignore_errors=True)
    os.makedirs(data)
    with open(os.path.join(directory, "traces.om"), "w") as f:
        f.write(open_metrics(traces))
    run("promtool", "tsdb", "create-blocks-from", "openmetrics", os.path.join(directory, "traces.om"), data)
    with Server(directory) as server:
        path = os.path.join(directory, "asked.yml")
        with open(path, "w") as f:
            f.write(rules)
        start, end = traces[0]["start"], max(t["start"] + len(t["blind"]) * t["step"] for t in traces)
        run("promtool", "tsdb", "create-blocks-from", "rules", f"--start={start}", f"--end={end}", "--eval-interval=15s", f"--url=http://127.0.0.1:{server.port}", f"--output-dir={data}", path)


def main():
    directory = tempfile.mkdtemp(prefix="supyo-traces-")
    try:
        run(PROGRAM, "--gtest_filter=Agreement.TracesForARealServer", env={**os.environ, "SUPYO_TRACES": directory})
        traces = []
        for path in sorted(glob.glob(f"{directory}/trace-*.json")):
            with open(path) as f:
                traces.append(json.load(f))
        with open(f"{directory}/rules.yml") as f:
            rules = f.read()
        began = time.monotonic()
        blocks(directory, traces, rules)
        agreed, asked, firing, found, differ = compare(directory, traces)
        version = subprocess.run(["prometheus", "--version"], capture_output=True, text=True).stdout.split()[2]
        print(f"Prometheus {version}: the same alert intervals within one evaluation over {agreed} of {len(traces)} traces ({asked} evaluations, {firing} of them firing, {found} intervals; {time.monotonic() - began:.0f} s)")
        for (objective, alert, burn), ks in differ.items():
            print(f"  {objective} {alert} {burn}: other at {len(ks)} evaluations ({ks[0]} to {ks[-1]})")
        ok = agreed == len(traces) == 20 and asked > 10000 and firing > 1000 and found > 20
        short = [t for t in traces if len(t["blind"]) < 1000]
        blocks(directory, short, rules.replace(*PLANTED))
        wrong = len(short) - compare(directory, short)[0]
        print(f"planted, rules that forget what no reader can see yet: found in {wrong} of {len(short)} traces")
        ok = ok and wrong > 0
        return 0 if ok else 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
