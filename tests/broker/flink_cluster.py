"""A Flink 2.1.3 cluster of two processes on loopback, for measuring: a JobManager and one TaskManager, whose CPU is told apart from the client's and the planner's.

    with Cluster(work) as flink:
        took = flink.run(sql)      # [(CPU seconds of the TaskManager, seconds)] a statement
"""
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import flink_jvm

HERE = os.path.dirname(os.path.abspath(__file__))
TASK_HEAP = 3087007744
CONFIG = """jobmanager.rpc.address: 127.0.0.1
jobmanager.rpc.port: {rpc}
jobmanager.bind-host: 127.0.0.1
blob.server.port: "0"
rest.address: 127.0.0.1
rest.bind-address: 127.0.0.1
rest.port: {rest}
web.refresh-interval: "100"
taskmanager.host: 127.0.0.1
taskmanager.bind-host: 127.0.0.1
taskmanager.numberOfTaskSlots: 4
taskmanager.cpu.cores: 1.0
taskmanager.memory.framework.heap.size: 134217728b
taskmanager.memory.framework.off-heap.size: 134217728b
taskmanager.memory.task.heap.size: {task_heap}b
taskmanager.memory.task.off-heap.size: 0b
taskmanager.memory.network.min: 134217728b
taskmanager.memory.network.max: 134217728b
taskmanager.memory.managed.size: 67108864b
taskmanager.memory.jvm-metaspace.size: 268435456b
taskmanager.memory.jvm-overhead.min: 201326592b
taskmanager.memory.jvm-overhead.max: 201326592b
heartbeat.interval: 5000
heartbeat.timeout: 60000
state.backend.type: hashmap
execution.checkpointing.dir: file://{work}/checkpoints
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Cluster:
    def __init__(self, work):
        self.work, self.lib, self.processes = work, flink_jvm.fetch(), {}

    def __enter__(self):
        os.makedirs(f"{self.work}/conf", exist_ok=True)
        os.makedirs(f"{self.work}/checkpoints", exist_ok=True)
        self.rest = free_port()
        with open(f"{self.work}/conf/config.yaml", "w", encoding="ascii") as f:
            f.write(CONFIG.format(rpc=free_port(), rest=self.rest, work=self.work, task_heap=TASK_HEAP))
        self._start("jobmanager", ["-Xmx512m", "-XX:+UseSerialGC"], "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint", ["--executionMode", "cluster"])
        heap = TASK_HEAP + 134217728
        self._start("taskmanager", [f"-Xms{heap}", f"-Xmx{heap}", "-XX:MaxDirectMemorySize=268435456", "-XX:MaxMetaspaceSize=268435456", "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError"],
                    "org.apache.flink.runtime.taskexecutor.TaskManagerRunner", ["-D", "taskmanager.resource-id=tm"])
        limit = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.rest}/overview", timeout=5) as answer:
                    if json.load(answer)["taskmanagers"] == 1:
                        return self
            except (urllib.error.URLError, OSError, KeyError):
                pass
            if time.monotonic() > limit or any(p.poll() is not None for p in self.processes.values()):
                self.__exit__()
                raise RuntimeError(f"Flink did not start; see {self.work}")
            time.sleep(0.2)

    def __exit__(self, *_):
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()

    def _start(self, name, jvm, main, args):
        command = flink_jvm.command(self.lib, self.work, main, jvm)
        log = open(f"{self.work}/{name}.out", "w", encoding="utf-8")
        environment = {**os.environ, "FLINK_CONF_DIR": f"{self.work}/conf", "FLINK_LIB_DIR": self.lib}
        self.processes[name] = subprocess.Popen([*command, "--configDir", f"{self.work}/conf", *args], stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, start_new_session=True)

    def run(self, sql, settings=(), timeout=1800):
        """Statements one after another, each to its end."""
        with open(f"{self.work}/job.sql", "w", encoding="utf-8") as f:
            f.write(sql)
        settings = ["execution.target=remote", "rest.address=127.0.0.1", f"rest.port={self.rest}", "client.retry-period=20 ms", *settings]
        command = flink_jvm.command(self.lib, self.work, f"{HERE}/FlinkSql.java", ["-Xmx512m", "-XX:+UseSerialGC", f"-Dcpu.of={self.processes['taskmanager'].pid}"])
        done = subprocess.run([*command, f"{self.work}/job.sql", *settings], capture_output=True, text=True, timeout=timeout, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"Flink: {re.findall(r'.*(?:ERROR|Caused by|Exception).*', done.stdout + done.stderr)[:5]}; see {self.work}")
        return [(int(cpu) / 1e9, int(wall) / 1e9) for cpu, wall in re.findall(r"^took (\d+) (\d+)$", done.stdout, re.M)]

    def peak_memory_mb(self):
        """Of the TaskManager, resident."""
        with open(f"/proc/{self.processes['taskmanager'].pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmHWM:\s+(\d+)", f.read())[1]) / 1024
