"""Starts `supyo broker` for a test, and stops it."""
import os
import re
import signal
import subprocess
import sys

SUPYO = os.environ.get("SUPYO", "build/release/supyo")
# What makes the tests short: groups that don't wait for more members, sessions that end soon.
QUICK = {"group.initial.rebalance.delay.ms": 0, "group.min.session.timeout.ms": 100, "transaction.abort.timed.out.transaction.cleanup.interval.ms": 100}


class Broker:
    def __init__(self, data, listen="127.0.0.1:0", **config):
        self.data, self.config = data, {**QUICK, **{k.replace("_", "."): v for k, v in config.items()}}
        self.address, self.process = listen, None
        self.start()

    def start(self):
        """Again at the same address, after a kill."""
        command = [SUPYO, "broker", "--verbose", "--data", self.data, "--listen", self.address]
        for key, value in self.config.items():
            command += ["--config", f"{key}={value}"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"broker at (\S+),", line)
        if not found:
            self.process.wait()
            raise RuntimeError(f"the broker did not start: {line!r}, exit status {self.process.returncode}")
        self.address = found.group(1)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        """Exit status of a clean stop."""
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(timeout=20)
        self.process.stdout.close()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()


def check(condition, text):
    if not condition:
        print(f"FAILED: {text}", file=sys.stderr, flush=True)
        raise AssertionError(text)
