"""The SQL shell at a terminal, `supyo bench latency` and `supyo gen --serve`: commands that start processes or serve, which only the real binary can."""
import json
import os
import pty
import select
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


class Terminal:
    """`supyo sql` as somebody types to it."""

    def __init__(self, home):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(HOME=home, TERM="xterm")
            os.environ.pop("XDG_STATE_HOME", None)
            os.execv(BINARY, [BINARY, "sql"])
        self.seen = ""

    def expect(self, text, seconds=60):
        """Everything up to `text`, which comes after what was expected before."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"no {text!r} in {self.seen!r}"
            self.seen += os.read(self.fd, 65536).decode(errors="replace")
        before, _, self.seen = self.seen.partition(text)
        return before

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def leave(self):
        self.type("quit\r")
        status = os.waitpid(self.pid, 0)[1]
        os.close(self.fd)
        assert status == 0, status


def shell(directory):
    t = Terminal(directory)
    t.expect("supyo> ")
    t.type("CREATE TABLE readings (sensor INT, celsius DOUBLE) WITH ('connector' = 'datagen', 'rows-per-second' = '100');\r")
    t.expect("created")
    t.type("SEL\t* FROM rea\tWHERE cel\t> 0 LIM\t3;\r")
    t.expect("3 rows in")
    t.type("SELECT COUNT(*) AS growing FROM readings;\r")   # never ends by itself
    for _ in range(2):                                       # what it has is drawn anew
        t.expect("growing\r\n")
        t.expect("1 row so far")
    t.type("\x03")
    t.type("SELECT 6 *\r 7 AS answer;\r")
    t.expect("answer")
    t.expect("42")
    t.type("SELECT nonsense;\r")
    t.expect("SUPYO-2003")
    t.leave()
    again = Terminal(directory)
    again.expect("supyo> ")
    again.type("\x1b[A\x1b[A\r")
    again.expect("42")
    again.leave()
    assert os.stat(f"{directory}/.local/state/supyo").st_mode & 0o077 == 0 and os.path.exists(f"{directory}/.local/state/supyo/history"), "others can read what was typed"
    print("shell: completes tables and keywords, Ctrl-C ends the query and not the shell, history is there the next time")


def main():
    for check in (shell, bench_latency, gen_serve):
        with tempfile.TemporaryDirectory(prefix="supyo-tools-") as directory:
            check(directory)


if __name__ == "__main__":
    sys.exit(main())
