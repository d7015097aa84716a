"""One real Kafka broker (KRaft; 4.1.1, or 3.9.2 for tools that speak with no newer one) on loopback: set up, started, killed, stopped. One JVM at a time on the machine: it takes a lock."""
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEPS = os.environ.get("SUPYO_DEPS") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "supyo")
NEWEST = "4.1.1"
POMS = {NEWEST: os.path.join(ROOT, "deploy/kafka"), "3.9.2": os.path.join(ROOT, "tests/watch/kafka-3.9")}   # the first is what the stack runs
PORT = int(os.environ.get("SUPYO_KAFKA_PORT", "19592"))
ADDRESS = f"127.0.0.1:{PORT}"

CONFIG = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={dir}/data
num.partitions=1
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
log.segment.bytes=67108864
log.index.size.max.bytes=1048576
log.initial.task.delay.ms=1000
log.retention.check.interval.ms=1000
log.segment.delete.delay.ms=1000
"""
LOG4J1 = """log4j.rootLogger=INFO, C
log4j.appender.C=org.apache.log4j.ConsoleAppender
log4j.appender.C.layout=org.apache.log4j.PatternLayout
log4j.appender.C.layout.ConversionPattern=[%d] %p %m (%c)%n
"""
LOG4J = """appender.c.type=Console
appender.c.name=C
appender.c.layout.type=PatternLayout
appender.c.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=INFO
rootLogger.appenderRef.c.ref=C
"""


def fetch_jars(version=NEWEST):
    """The folder with the broker's jars."""
    lib = os.path.join(DEPS, f"kafka-{version}", "lib")
    sums = os.path.join(POMS[version], "SHA256SUMS")

    def good():
        return os.path.isdir(lib) and subprocess.run(["sha256sum", "--quiet", "-c", sums], cwd=lib, capture_output=True).returncode == 0

    if good():
        return lib
    print("kafka: fetching the broker's jars (once)", flush=True)
    os.makedirs(os.path.dirname(lib), exist_ok=True)
    subprocess.run(["mvn", "-B", "-q", "-f", os.path.join(POMS[version], "pom.xml"), "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
                    "-DincludeScope=runtime", f"-DoutputDirectory={lib}"], check=True)
    if not good():
        sys.exit("kafka: the jars do not have the pinned checksums")
    return lib


def java():
    home = os.environ.get("JAVA17_HOME") or os.environ.get("JAVA_HOME")
    return os.path.join(home, "bin/java") if home else "java"


class Broker:
    def __init__(self, directory, version=NEWEST):
        self.dir = os.path.abspath(directory)
        self.process = None
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir + "/logs")
        self.lock = open("/tmp/jvm.lock", "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.lib = fetch_jars(version)
        with open(self.dir + "/server.properties", "w") as f:
            f.write(CONFIG.format(port=PORT, controller=PORT + 1, dir=self.dir))
        with open(self.dir + "/log4j2.properties", "w") as f:
            f.write(LOG4J)
        with open(self.dir + "/log4j.properties", "w") as f:
            f.write(LOG4J1)
        with open(self.dir + "/format.log", "w") as log:
            subprocess.run(self.command() + ["kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", self.dir + "/server.properties"], stdout=log, stderr=log, check=True)

    def command(self):
        return [java(), "-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-Djava.awt.headless=true", f"-Dkafka.logs.dir={self.dir}/logs",
                f"-Dlog4j2.configurationFile=file:{self.dir}/log4j2.properties", f"-Dlog4j.configuration=file:{self.dir}/log4j.properties", "-cp", f"{self.lib}/*"]

    def start(self):
        with open(self.dir + "/out.log", "a") as log:
            self.process = subprocess.Popen(self.command() + ["kafka.Kafka", self.dir + "/server.properties"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                sys.exit(f"kafka: the broker ended with {self.process.returncode}; see {self.dir}/out.log")
            try:
                socket.create_connection(("127.0.0.1", PORT), 0.5).close()
                return
            except OSError:
                time.sleep(0.1)
        sys.exit("kafka: the broker did not start within two minutes")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        self.lock.close()
