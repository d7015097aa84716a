"""Runs the binary under test."""
import json
import os
import random
import signal
import subprocess
import time

BINARY = os.environ.get("SUPYO", "build/release/supyo")


def run(*args, check=True, **kwargs):
    done = subprocess.run([BINARY, *map(str, args)], capture_output=True, text=True, **kwargs)
    if check and done.returncode != 0:
        raise AssertionError(f"supyo {' '.join(map(str, args))} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done


def query(sql, *args):
    """Rows of the last SELECT as dictionaries."""
    done = run("sql", *args, "--format", "json", "-e", sql)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def run_killed(args, rng: random.Random, least: float, most: float) -> bool:
    """Starts `supyo args` and kills it with SIGKILL after a random time. True when it had ended by itself (with success)."""
    process = subprocess.Popen([BINARY, *map(str, args)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _, err = process.communicate(timeout=rng.uniform(least, most))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return False
    if process.returncode not in (0, 3):
        raise AssertionError(f"supyo {' '.join(map(str, args))} ended with {process.returncode}:\n{err[-4000:]}")
    return True


def timed(action):
    start = time.monotonic()
    action()
    return time.monotonic() - start
