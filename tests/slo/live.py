"""A judged job, real Prometheus and Alertmanager: rules and dashboards over a live scrape, and a page that arrives.

live.py      SUPYO names the binary; needs prometheus and prometheus-alertmanager (Debian). Takes about five minutes, most of it waiting for the job to be judged.
The example of document 000 runs with a commit every eight seconds, so its latency objective (95 % under 5 s) breaks by itself.
"""
import glob
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

SUPYO = os.path.abspath(os.environ.get("SUPYO", "build/release/supyo"))
failed = 0


def check(what, ok, detail=""):
    global failed
    failed += not ok
    print(f"{'ok    ' if ok else 'FAILED'}  {what}{'  ' + str(detail) if detail != '' else ''}", flush=True)
    return ok


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(port, path, accept=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept": accept} if accept else {})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def wait(what, done, seconds):
    """Until done() gives something; a connection that is refused is not there yet."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if value := done():
                return value
        except OSError:
            pass
        time.sleep(0.2)
    check(what, False, f"not within {seconds} s")
    return None


class Pages(http.server.BaseHTTPRequestHandler):
    """What Alertmanager sends."""
    alerts = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Pages.alerts += body["alerts"]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def page(name, objective, status="firing"):
    return next((a for a in Pages.alerts if a["labels"]["alertname"] == name and a["labels"].get("objective") == objective and a["status"] == status), None)


def main():
    for program in ("prometheus", "promtool", "prometheus-alertmanager", "amtool"):
        if not shutil.which(program):
            sys.exit(f"live.py: there is no {program}: apt-get install -y --no-install-recommends prometheus prometheus-alertmanager")
    own = tempfile.mkdtemp(prefix="supyo-live-")
    started = []
    job_port, prometheus_port, alert_port, hook_port = (free_port() for _ in range(4))

    def start(*command):
        log = open(f"{own}/{os.path.basename(command[0])}-{len(started)}.log", "w")
        started.append(subprocess.Popen(command, stdout=log, stderr=log))
        return started[-1]

    try:
        objectives = "examples/product/slo.yaml"
        rules = subprocess.run([SUPYO, "slo", "rules", objectives, "--output", f"{own}/rules.yml", "--tests", f"{own}/rules_test.yml"], capture_output=True, text=True)
        check("supyo slo rules", rules.returncode == 0, rules.stderr)
        for arguments in (["check", "rules", "rules.yml"], ["test", "rules", "rules_test.yml"]):
            done = subprocess.run(["promtool", *arguments], cwd=own, capture_output=True, text=True)
            check("promtool " + " ".join(arguments), done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:] if done.returncode else "")

        hook = http.server.ThreadingHTTPServer(("127.0.0.1", hook_port), Pages)
        threading.Thread(target=hook.serve_forever, daemon=True).start()
        with open(f"{own}/am.yml", "w") as f:
            json.dump({"route": {"receiver": "hook", "group_by": ["alertname", "objective"], "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"},
                       "receivers": [{"name": "hook", "webhook_configs": [{"url": f"http://127.0.0.1:{hook_port}/", "send_resolved": True}]}]}, f)
        with open(f"{own}/prometheus.yml", "w") as f:
            json.dump({"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": ["rules.yml"],
                       "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alert_port}"]}]}]},
                       "scrape_configs": [{"job_name": "supyo", "static_configs": [{"targets": [f"127.0.0.1:{job_port}"]}]}]}, f)
        check("amtool check-config", subprocess.run(["amtool", "check-config", f"{own}/am.yml"], capture_output=True).returncode == 0)
        start("prometheus-alertmanager", f"--config.file={own}/am.yml", f"--storage.path={own}/am", f"--web.listen-address=127.0.0.1:{alert_port}", "--cluster.listen-address=")
        start("prometheus", f"--config.file={own}/prometheus.yml", f"--storage.tsdb.path={own}/tsdb", f"--web.listen-address=127.0.0.1:{prometheus_port}",
              f"--web.external-url=http://127.0.0.1:{prometheus_port}", "--log.level=warn")
        wait("Prometheus is ready", lambda: get(prometheus_port, "/-/ready"), 60)

        start(SUPYO, "gen", "product", "--live", "--tps", "300", "--to", f"embedded:{own}/log/product-events")
        wait("events come", lambda: glob.glob(f"{own}/log/product-events/**/*", recursive=True), 60)
        job = start(SUPYO, "run", "examples/product/pipeline.sql", "--var", f"DATA={own}", "--slo", objectives, "--serve", str(job_port), "--set", "execution.checkpointing.interval=8s")

        def query(expr):
            _, body = get(prometheus_port, "/api/v1/query?" + urllib.parse.urlencode({"query": expr}))
            return json.loads(body)["data"]["result"]

        wait("the job is judged", lambda: query("min(supyo_slo_judged) == 1"), 180)
        content_type, text = get(job_port, "/metrics")
        check("/metrics is Prometheus text", content_type.startswith("text/plain; version=0.0.4"), content_type)
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        check("promtool check metrics", done.returncode == 0, done.stderr)
        content_type, _ = get(job_port, "/metrics", "application/openmetrics-text;version=1.0.0")
        check("/metrics is OpenMetrics where it is asked for", content_type.startswith("application/openmetrics-text"), content_type)
        check("Prometheus, which prefers OpenMetrics, takes the page", query('up{job="supyo"} == 1') and query("scrape_samples_scraped > 80"))

        got = wait("Alertmanager gets a page for the broken latency objective", lambda: page("SupyoObjectiveBroken", "end-to-end-latency"), 120)
        if got:
            check("the page says what is asked, what is bad, and what to do", got["labels"]["severity"] == "page" and "95 % of records visible in under 5 s" in got["annotations"]["description"] and got["annotations"]["next_step"],
                  got["annotations"])
            decision = json.loads(get(job_port, "/v1/slo")[1])
            check("the job itself says INCIDENT", decision["state"] == "INCIDENT", decision["reasons"])
            first = 'min_over_time((timestamp({} == 1))[5m:1s])'.format
            alert = wait("the alert is a series", lambda: query(first('ALERTS{alertname="SupyoObjectiveBroken",alertstate="firing",objective="end-to-end-latency"}')), 30)
            own_word = query(first('supyo_slo_breached{objective="end-to-end-latency"}'))
            apart = float(alert[0]["value"][1]) - float(own_word[0]["value"][1])
            check("job and rules say so within two evaluations", abs(apart) <= 2, f"{apart:+.0f} s")

        # Every panel, asked of what was scraped.
        subprocess.run([SUPYO, "slo", "dashboards", "--output", f"{own}/dashboards"], check=True, capture_output=True)
        now = time.time()
        for file in sorted(glob.glob(f"{own}/dashboards/*.json")):
            if os.path.basename(file) in ("kafka.json", "broker.json", "flink.json"):
                continue   # tests/stack/run.sh dashboard and flink ask these of real Kafka and Flink
            board = json.load(open(file))
            for panel in board["panels"]:
                for target in panel["targets"]:
                    expr = target["expr"].replace("$__rate_interval", "20s").replace("$service", ".*").replace("$objective", ".*")
                    _, body = get(prometheus_port, "/api/v1/query_range?" + urllib.parse.urlencode({"query": expr, "start": now - 60, "end": now, "step": 5}))
                    series = json.loads(body)["data"]["result"]
                    check(f"{os.path.basename(file)}: {panel['title']} {target['refId']}", bool(series), f"{len(series)} series")

        # A job that is gone is not a job that is well.
        job.send_signal(signal.SIGKILL)
        wait("Alertmanager gets a page that nobody knows", lambda: page("SupyoObjectiveUnknown", "freshness"), 240)
    finally:
        for process in reversed(started):
            if process.poll() is None:
                process.kill()
            process.wait()
        if failed:
            print(f"what they wrote is in {own}")
        else:
            shutil.rmtree(own)
    print("FAILED" if failed else "all well")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
