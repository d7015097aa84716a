"""Flink 2.1.3 in one JVM: fetched once (about 300 MB), runs SQL statements. Needs a JDK, pip, Maven."""
import glob
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.path.join(os.environ.get("SUPYO_DEPS") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "supyo"), "flink-2.1.3")
PACKAGE, SHA256 = "apache-flink-libraries==2.1.3", "b48d3944755b9303f99d205ea1a9bcb798fc563a872c782393fb466f16d4f91c"

# Each query compiles classes of its own: the 48 MB that a quick compiler gets for code are full after some hundred, and the rest would be interpreted.
MANY_PLANS = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=512m", "-Xlog:disable", "-Xlog:all=warning:stderr"]


def fetch():
    lib = f"{CACHE}/lib"
    if os.path.exists(f"{CACHE}/.complete"):
        return lib
    os.makedirs(lib, exist_ok=True)
    with open(f"{CACHE}/requirements.txt", "w", encoding="ascii") as f:
        f.write(f"{PACKAGE} --hash=sha256:{SHA256}\n")
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--require-hashes", "-r", f"{CACHE}/requirements.txt", "-d", CACHE], check=True)
    source = glob.glob(f"{CACHE}/apache*flink*libraries-2.1.3.tar.gz")[0]
    subprocess.run(["tar", "xzf", source, "-C", CACHE, "--strip-components=1"], check=True)
    for jar in glob.glob(f"{CACHE}/deps/lib/*.jar"):
        shutil.move(jar, lib)
    subprocess.run(["mvn", "-B", "-q", "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy", "-Dartifact=org.apache.flink:flink-sql-connector-kafka:4.0.1-2.0",
                    f"-DoutputDirectory={lib}"], check=True)
    shutil.rmtree(f"{CACHE}/deps")
    os.remove(source)
    open(f"{CACHE}/.complete", "w", encoding="ascii").close()
    return lib


def command(lib, work, program, jvm=()):
    """What starts a Java source file beside Flink; it logs to work/flink.log."""
    with open(f"{work}/log4j.properties", "w", encoding="ascii") as f:
        f.write("rootLogger.level=WARN\nappender.f.type=File\nappender.f.name=F\nappender.f.fileName=%s/flink.log\nappender.f.layout.type=PatternLayout\n"
                "appender.f.layout.pattern=%%d %%p %%c{1} %%m%%n\nrootLogger.appenderRef.f.ref=F\n" % work)
    opens = [f"--add-opens=java.base/java.{p}=ALL-UNNAMED" for p in ("lang", "net", "io", "nio", "lang.reflect", "text", "time", "util", "util.concurrent")]
    java = os.path.join(os.environ["JAVA_HOME"], "bin", "java") if os.environ.get("JAVA_HOME") else "java"
    return [java, *jvm, *opens, f"-Dlog4j.configurationFile=file:{work}/log4j.properties", "-cp", f"{lib}/*", program]


def run(lib, work, sql, settings, jvm=()):
    """Runs statements, one after another, in one JVM. Returns what each took: (CPU seconds of the whole process, seconds)."""
    with open(f"{work}/job.sql", "w", encoding="utf-8") as f:
        f.write(sql)
    done = subprocess.run([*command(lib, work, f"{HERE}/FlinkSql.java", jvm), f"{work}/job.sql", *settings], capture_output=True, text=True, timeout=600)
    with open(f"{work}/out", "w", encoding="utf-8") as f:
        f.write(done.stdout + done.stderr)
    if done.returncode != 0:
        raise AssertionError(f"Flink's jobs failed: {re.findall(r'.*(?:ERROR|Caused by|Exception).*', done.stdout + done.stderr)[:5]}; see {work}")
    return [(int(cpu) / 1e9, int(wall) / 1e9) for cpu, wall in re.findall(r"^took (\d+) (\d+)$", done.stdout, re.M)]
