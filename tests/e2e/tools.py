"""`supyo bench latency` and `supyo gen --serve`: commands that start processes or serve, which only the real binary can."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from supyo import BINARY, run


def running_below(directory):
    """Processes whose command line names the directory."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if directory.encode() in open(f"/proc/{pid}/cmdline", "rb").read():
                found.append(pid)
        except OSError:
            pass
    return found


def bench_latency(directory):
    env = dict(os.environ, TMPDIR=directory)
    result = json.loads(run("bench", "latency", "--rate", "1000", "--for", "1s", "--runs", "1", "--json", env=env).stdout)
    assert 0 < result["median_p99_ms"] < 60_000, result
    assert os.listdir(directory) == [] and running_below(directory) == []
    process = subprocess.Popen([BINARY, "bench", "latency", "--rate", "1000"], env=env, stderr=subprocess.PIPE, text=True)
    while not running_below(directory):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 1 and "SUPYO-3005" in error, error
    assert os.listdir(directory) == [] and running_below(directory) == [], "Ctrl-C left something behind"
    print(f"bench latency: p99 {result['median_p99_ms']} ms at 1,000 rows/s; Ctrl-C leaves nothing")


def gen_serve(directory):
    topic = f"{directory}/log/events"
    process = subprocess.Popen([BINARY, "gen", "product", "--serve", "0", "--payload", "500", "--to", f"embedded:{topic}", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    url = process.stderr.readline().split(": ")[0]

    def call(path, data=None):
        with urllib.request.urlopen(urllib.request.Request(url + path, data=data), timeout=30) as answer:
            return answer.read().decode()

    call("/start/5000")
    while json.loads(call("/status"))["generators"][0]["acknowledged"] < 1000:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    call("/v1/generators", b'{"topic":"large","tps":100,"payload_bytes":200000,"count":20}')
    try:
        call("/v1/generators", b"nonsense")
        raise AssertionError("nonsense was taken")
    except urllib.error.HTTPError as refused:
        assert refused.code == 400, refused
    while any(g["id"] == "large" and g["state"] != "finished" for g in json.loads(call("/status"))["generators"]):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    sums = json.loads(out)
    assert sums["failed"] == sums["unknown"] == 0, sums
    ids = [json.loads(line)["event_id"] for line in run("log", "cat", topic).stdout.splitlines()]
    assert ids == list(range(1, len(ids) + 1)) and len(ids) + 20 == sums["acknowledged"], (len(ids), sums)
    large = run("log", "cat", f"{directory}/log/large").stdout.splitlines()
    assert len(large) == 20 and all(len(json.loads(line)["payload"]) == 200_000 for line in large)
    print(f"gen --serve: {sums['acknowledged']} acknowledged, all of them in the log, each once")


def main():
    for check in (bench_latency, gen_serve):
        with tempfile.TemporaryDirectory(prefix="supyo-tools-") as directory:
            check(directory)


if __name__ == "__main__":
    sys.exit(main())
