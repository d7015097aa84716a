"""The local stack for real: `supyo stack` with Kafka's own servers. Needs java 17, mvn, pip and kcat (and prometheus for its part); takes some minutes.

run.py [kafka] [kafka3] [replicas] [gen] [prometheus] [dashboard] [flink] [interrupt]     SUPYO names the binary, SUPYO_DOWNLOADS where fetched jars are kept
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

SUPYO = os.path.abspath(os.environ.get("SUPYO", "build/release/supyo"))
OFFSET = 12000   # away from a Kafka that somebody runs
passed = failed = 0


def check(what, ok, detail=""):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print(f"{'ok    ' if ok else 'FAILED'}  {what}{'  ' + str(detail) if detail != '' else ''}", flush=True)


class Stack:
    def __init__(self, directory):
        self.directory = directory
        self.downloads = os.environ.get("SUPYO_DOWNLOADS", os.path.abspath("build/stack-downloads"))

    def run(self, *args):
        begin = time.monotonic()
        more = ["--downloads", self.downloads, "--port-offset", str(OFFSET)] if args[0] == "up" else []
        done = subprocess.run([SUPYO, "stack", *args, "--dir", self.directory, *more], capture_output=True, text=True)
        done.seconds = time.monotonic() - begin
        return done

    def services(self):
        return {s["service"]: s for s in map(json.loads, self.run("status", "--json").stdout.splitlines())}


def port_is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def alive(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def get(port, path):
    return urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10).read().decode()


def kcat(port, *args, text=None):
    return subprocess.run(["kcat", "-b", f"127.0.0.1:{port}", *args], input=text, capture_output=True, text=True, timeout=60)


def create_topic(stack, port, topic, factor, *config):
    subprocess.run(["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", f"{stack.downloads}/kafka-4.1.1/*", "org.apache.kafka.tools.TopicCommand", "--bootstrap-server",
                    f"127.0.0.1:{port}", "--create", "--topic", topic, "--replication-factor", str(factor), *config], check=True, capture_output=True, timeout=60)


def gone(what, stack, name, services):
    ports = [p for s in services.values() for p in s["ports"].values()]
    check(f"{what}: no process, port or file is left", not any(alive(s["pid"]) for s in services.values()) and all(map(port_is_free, ports)) and not os.path.exists(stack.directory))


def kafka(stack):
    up = stack.run("up", "kafka")
    check("kafka: up", up.returncode == 0, f"{up.seconds:.1f} s  {up.stderr if up.returncode else ''}")
    if up.returncode:
        return
    services = stack.services()
    broker = services["broker"]
    port = broker["ports"]["kafka"]
    check("kafka: ready, memory", broker["state"] == "ready", f"{broker['resident_bytes'] >> 20} MB")
    create_topic(stack, port, "t", 1)
    check("kafka: kcat writes", kcat(port, "-P", "-t", "t", text="a\nb\nc\n").returncode == 0)
    check("kafka: kcat reads", kcat(port, "-C", "-t", "t", "-e", "-q").stdout == "a\nb\nc\n")
    check("kafka: JMX exporter", 'kafka_log_logendoffset{partition="0",topic="t"} 3.0' in get(broker["ports"]["jmx"], "/metrics").replace(",}", "}"))
    page = get(broker["ports"]["jmx"], "/metrics")
    shown = set(re.findall(r"kafka_[a-z_]+", open("deploy/grafana/dashboards/kafka.json").read()))
    check("kafka: the broker has what the dashboard shows", all(f"\n{name}{{" in page or f"\n{name} " in page for name in shown), [n for n in shown if n not in page] or "")
    again = stack.run("up", "kafka")
    check("kafka: up again does nothing", again.returncode == 0 and stack.services()["broker"]["pid"] == broker["pid"], f"{again.seconds:.1f} s")
    logs = stack.run("logs", "kafka", "--lines", "3")
    check("kafka: logs", logs.stdout.count("\n") == 3)
    os.kill(broker["pid"], signal.SIGKILL)
    while alive(broker["pid"]):
        time.sleep(0.01)
    check("kafka: a killed broker is seen", stack.services()["broker"]["state"] == "ended")
    check("kafka: up starts it again", stack.run("up", "kafka").returncode == 0)
    check("kafka: the data are there", kcat(port, "-C", "-t", "t", "-e", "-q").stdout == "a\nb\nc\n")
    down = stack.run("down", "kafka")
    check("kafka: down", down.returncode == 0 and stack.services() == {} and os.path.exists(stack.directory), f"{down.seconds:.1f} s")
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", port))
        holder.listen()
        taken = stack.run("up", "kafka")
        check("kafka: a taken port is named", taken.returncode == 1 and "SUPYO-1007" in taken.stderr and str(port) in taken.stderr)
    back = stack.run("up", "kafka")
    check("kafka: up with the data of before", back.returncode == 0 and kcat(port, "-C", "-t", "t", "-e", "-q").stdout == "a\nb\nc\n", f"{back.seconds:.1f} s")
    services = stack.services()
    check("kafka: down -v", stack.run("down", "kafka", "-v").returncode == 0)
    gone("kafka", stack, "kafka", services)


def kafka3(stack):
    up = stack.run("up", "kafka3")
    check("kafka3: up", up.returncode == 0, f"{up.seconds:.1f} s  {up.stderr if up.returncode else ''}")
    if up.returncode:
        return
    services = stack.services()
    check("kafka3: all four ready, memory", len(services) == 4 and all(s["state"] == "ready" for s in services.values()), ", ".join(f"{n} {s['resident_bytes'] >> 20} MB" for n, s in services.items()))
    ports = [services[f"broker-{i}"]["ports"]["kafka"] for i in (1, 2, 3)]
    create_topic(stack, ports[0], "t", 3)
    check("kafka3: three replicas in sync", "isrs: 1,2,3" in ",".join(kcat(ports[0], "-L", "-t", "t").stdout.replace("isrs: 2,3,1", "isrs: 1,2,3").replace("isrs: 3,1,2", "isrs: 1,2,3").split("\n")))
    check("kafka3: kcat writes with acks=all", kcat(ports[0], "-P", "-t", "t", "-X", "acks=all", text="a\n").returncode == 0)
    os.kill(services["broker-3"]["pid"], signal.SIGSTOP)   # as a lab leaves it
    down = stack.run("down", "kafka3", "-v")
    stopped = [line.split(":")[0] for line in down.stderr.splitlines() if "stopped" in line]
    check("kafka3: down, the controller last", down.returncode == 0 and stopped[-1:] == ["controller"] and len(stopped) == 4, f"{down.seconds:.1f} s")
    gone("kafka3", stack, "kafka3", services)


def replicas(stack):
    """The labs acked-loss and ack-frontier on three brokers, which the first one stops and kills: fewer trials than their verdicts ask for, so the numbers are checked, and the guards."""
    home = tempfile.mkdtemp(prefix="supyo-replicas-")
    stack.directory = f"{home}/supyo/stack"   # where labs look
    up = stack.run("up", "kafka3")
    check("replicas: up", up.returncode == 0, f"{up.seconds:.1f} s  {up.stderr if up.returncode else ''}")
    if up.returncode:
        return

    def lab(name, *knobs):
        out = f"{home}/{name}"
        done = subprocess.run([SUPYO, "lab", "run", name, "--on", "real", "--out", out, *[part for k in knobs for part in ("--set", k)]], capture_output=True, text=True, env={**os.environ, "XDG_DATA_HOME": home})
        check(f"replicas: {name} ran", done.returncode in (0, 3, 4), done.stderr[-400:] if done.returncode not in (0, 3, 4) else "")
        result = json.load(open(f"{out}/result.json"))
        return result, {a["name"]: a["counts"] for a in (result["fault"], result["control"], *result["arms"])}

    services = stack.services()
    result, arms = lab("acked-loss", "trials=1", "safe_trials=2")
    check("replicas: every guard holds", all(g["ok"] for g in result["guards"]), [g for g in result["guards"] if not g["ok"]] or "")
    check("replicas: measured on Kafka, not on the model", result["mode"] == "real" and not result.get("model") and "Kafka" in result["versions"]["broker"])
    check("replicas: acks=1 loses what the followers had not fetched", 1600 <= arms["fault"]["lost"] <= 2400 and 3200 <= arms["long"]["lost"] <= 4800, f"{arms['fault']['lost']:.0f} and {arms['long']['lost']:.0f}")
    check("replicas: acks=all and min ISR 2 lose nothing", arms["clean"]["lost"] == arms["refused"]["lost"] == arms["stale"]["lost"] == 0 and arms["refused"]["errors_not_enough_replicas"] > 0)
    check("replicas: frozen below min ISR", arms["frozen"]["acked_late"] > 0 and arms["frozen"]["hw_late"] == arms["frozen"]["lag_late"] == 0 and arms["frozen"]["fresh_slope"] > 0.9)
    check("replicas: an unclean election loses in spite of acks=all", arms["unclean"]["lost"] > 0, f"{arms['unclean']['lost']:.0f}")
    frontier, _ = lab("ack-frontier", "trials=6", "other_trials=1", "settle=5s")   # too few for its verdict on a busy machine
    measured = {m: frontier["measures"][m]["value"] for m in ("rho_rf3_l0", "rho_rf3_l100")}
    check("replicas: ack-frontier: every guard holds", all(g["ok"] for g in frontier["guards"]) and frontier["mode"] == "real", [g for g in frontier["guards"] if not g["ok"]] or "")
    check("replicas: acks=all costs throughput without linger and hardly any with", measured["rho_rf3_l0"] < 0.9 < measured["rho_rf3_l100"], measured)
    topics = kcat(services["broker-1"]["ports"]["kafka"], "-L").stdout
    check("replicas: no topic is left", "supyo-lab-" not in topics, topics if "supyo-lab-" in topics else "")
    result, _ = lab("acked-loss-invalid", "trials=1", "safe_trials=1")
    check("replicas: without a fault it is INVALID", result["verdict"] == "INVALID", result["why"])
    services = stack.services()
    check("replicas: down -v", stack.run("down", "kafka3", "-v").returncode == 0)
    gone("replicas", stack, "kafka3", services)
    shutil.rmtree(home)


def ids_of(ledger, outcome):
    ids = set()
    for line in map(json.loads, open(ledger)):
        if line["outcome"] == outcome:
            for first, last in line["ids"]:
                ids.update(range(first, last + 1))
    return ids


def gen(stack):
    """The generator's ledger against what is in the topic, through a broker that is killed."""
    if stack.run("up", "kafka").returncode:
        return check("gen: up", False)
    broker = stack.services()["broker"]
    port, ledger = broker["ports"]["kafka"], f"{stack.directory}/ledger"
    create_topic(stack, port, "events", 1, "--config", "retention.ms=-1")   # the events are of January: older than seven days
    target = f"kafka://127.0.0.1:{port}/events"
    begin = time.monotonic()
    done = subprocess.run([SUPYO, "gen", "product", "--count", "100000", "--payload", "1000", "--to", target, "--ledger", ledger], capture_output=True, text=True)
    seconds = time.monotonic() - begin
    stored = [json.loads(line)["event_id"] for line in kcat(port, "-C", "-t", "events", "-e", "-q").stdout.splitlines()]
    check("gen: 100,000 large events acknowledged", done.returncode == 0 and len(ids_of(ledger, "acknowledged")) == 100_000, f"{100_000 / seconds:,.0f}/s")
    check("gen: each is in the topic once", sorted(stored) == list(range(1, 100_001)), f"{len(stored):,} records, {len(set(stored)):,} of them different")

    serve = subprocess.Popen([SUPYO, "gen", "product", "--serve", "0", "--payload", "1000", "--ledger", ledger, "--property", "acks=1", "--property", "delivery.timeout.ms=3000",
                              "--to", f"kafka://127.0.0.1:{port}/killed"], stderr=subprocess.PIPE, text=True)
    http = int(serve.stderr.readline().split(": ")[0].rsplit(":", 1)[1])

    def state():
        return json.loads(get(http, "/status"))["generators"][0]

    get(http, "/start/3000")
    while state()["acknowledged"] < 3000:
        time.sleep(0.05)
    os.kill(broker["pid"], signal.SIGKILL)
    end = time.monotonic() + 30
    while state()["failed"] + state()["unknown"] == 0 and time.monotonic() < end:
        time.sleep(0.1)
    check("gen: without a broker records fail or are unknown", state()["failed"] + state()["unknown"] > 0, state()["why"])
    stack.run("up", "kafka")
    before = state()["acknowledged"]
    end = time.monotonic() + 30
    while state()["acknowledged"] < before + 3000 and time.monotonic() < end:
        time.sleep(0.1)
    get(http, "/stop")
    last = state()
    serve.send_signal(signal.SIGINT)
    serve.communicate(timeout=60)
    check("gen: goes on when the broker is back", last["acknowledged"] >= before + 3000 and last["in_flight"] == 0)
    stored = {json.loads(line)["event_id"] for line in kcat(port, "-C", "-t", "killed", "-e", "-q").stdout.splitlines()}
    acknowledged, failed, unknown = (ids_of(ledger, o) for o in ("acknowledged", "failed", "unknown"))
    check("gen: every record has one outcome", len(acknowledged) + len(failed) + len(unknown) == max(acknowledged | failed | unknown) == last["acknowledged"] + last["failed"] + last["unknown"])
    check("gen: nothing that failed is in the topic", not failed & stored)
    check("gen: what is in the topic was acknowledged or is unknown", stored <= acknowledged | unknown, f"acknowledged {len(acknowledged):,}, failed {len(failed):,}, unknown {len(unknown):,}, of those stored {len(unknown & stored):,}; acknowledged and lost {len(acknowledged - stored):,}")


def prometheus(stack):
    up = stack.run("up", "kafka", "prometheus")
    check("prometheus: up beside kafka", up.returncode == 0, f"{up.seconds:.1f} s  {up.stderr if up.returncode else ''}")
    if up.returncode:
        return
    services = stack.services()
    port = services["prometheus"]["ports"]["http"]
    query = "/api/v1/query?query=kafka_server_brokertopicmetrics_messagesin_total"
    end = time.monotonic() + 60
    while '"broker":"broker"' not in get(port, query) and time.monotonic() < end:
        time.sleep(0.5)
    check("prometheus: scrapes the JMX exporter", '"broker":"broker"' in get(port, query), f"{services['prometheus']['resident_bytes'] >> 20} MB")
    if shutil.which("promtool"):
        for file in (f"{stack.directory}/prometheus/prometheus/prometheus.yml", "deploy/prometheus.yml"):
            check(f"prometheus: promtool accepts {os.path.basename(os.path.dirname(file))}/prometheus.yml", subprocess.run(["promtool", "check", "config", file], capture_output=True).returncode == 0)
        check("prometheus: promtool accepts the dashboard's queries", dashboard_queries())
    check("prometheus: down -v", stack.run("down", "-v").returncode == 0)
    gone("prometheus", stack, "prometheus", services)


DASHBOARDS = ("deploy/grafana/dashboards/kafka.json", "deploy/grafana/dashboards/broker.json")


def filled(expr):
    return expr.replace("$__rate_interval", "20s").replace("$topic", ".+")


def dashboard_queries():
    """Every query as a recording rule, its variables filled in: promtool knows PromQL."""
    rules = [filled(t["expr"]) for d in DASHBOARDS for p in json.load(open(d))["panels"] for t in p["targets"]]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as f:
        json.dump({"groups": [{"name": "dashboard", "rules": [{"record": f"panel:{i}", "expr": e} for i, e in enumerate(rules)]}]}, f)
        f.flush()
        done = subprocess.run(["promtool", "check", "rules", f.name], capture_output=True, text=True)
    print(done.stderr, end="")
    return done.returncode == 0


class Ports:
    """Those that Prometheus scrapes of Supyo: as they are, without the stack's offset."""
    run, broker, consume, gen = 8081, 8083, 8084, 8090


def dashboard(stack):
    """Document 002 by hand, and every panel of the dashboards asked of a Prometheus that scraped it: none may be empty but the one that must be."""
    busy = [p for p in vars(Ports).values() if isinstance(p, int) and not port_is_free(p)]
    if busy:
        return check("dashboard: the ports that Prometheus scrapes are free", False, busy)
    up = stack.run("up", "prometheus", "kafka")   # in any order
    check("dashboard: up", up.returncode == 0 and set(stack.services()) == {"broker", "prometheus", "watch-kafka"}, up.stderr if up.returncode else "")
    if up.returncode:
        return
    services = stack.services()
    port, http = services["broker"]["ports"]["kafka"], services["prometheus"]["ports"]["http"]
    watch = services["watch-kafka"]["ports"]["http"]
    create_topic(stack, port, "events", 1, "--config", "retention.bytes=10485760", "--config", "segment.bytes=1048576")
    started, own = [], tempfile.mkdtemp(prefix="supyo-dashboard-")

    def start(*args):
        started.append(subprocess.Popen([SUPYO, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True))
        return started[-1]

    def ask(query, **more):
        return json.loads(get(http, "/api/v1/" + ("query_range" if more else "query") + "?" + urllib.parse.urlencode({"query": query, **more})))["data"]["result"]

    def value(query):
        found = ask(query)
        return float(found[0]["value"][1]) if found else 0.0

    try:
        start("gen", "product", "--serve", Ports.gen, "--payload", 1000, "--to", f"kafka://127.0.0.1:{port}/events")
        start("consume", "--bootstrap", f"127.0.0.1:{port}", "--topic", "events", "--group", "fast-consumer-group", "--json")
        slow = start("consume", "--bootstrap", f"127.0.0.1:{port}", "--topic", "events", "--group", "slow-consumer-group", "--sleep", "2ms", "--serve", Ports.consume, "--json")
        start("gen", "product", "--live", "--tps", 200, "--to", f"embedded:{own}/log/product-events")
        while not os.path.exists(f"{own}/log/product-events/topic"):
            time.sleep(0.05)
        start("run", "examples/product/pipeline.sql", "--var", f"DATA={own}", "--slo", "examples/product/slo.yaml", "--serve", Ports.run)
        start("broker", "--data", f"{own}/embedded", "--listen", "127.0.0.1:19900", "--serve", Ports.broker)
        while port_is_free(19900) or port_is_free(Ports.gen):
            time.sleep(0.05)
        start("gen", "product", "--live", "--tps", 200, "--to", "kafka://127.0.0.1:19900/events")
        while not os.path.exists(f"{own}/embedded/events/topic"):
            time.sleep(0.05)
        start("consume", "--bootstrap", "127.0.0.1:19900", "--topic", "events", "--group", "readers", "--json")
        get(Ports.gen, "/start/1500")
        end = time.monotonic() + 180
        lost = 'max(supyo_consumer_lost_records_total{consumergroup="slow-consumer-group"})'
        while value(lost) < 20_000 and time.monotonic() < end:
            time.sleep(1)
        got = value(lost)
        check("dashboard: all of it runs", all(p.poll() is None for p in started), [p.args[1:4] for p in started if p.poll() is not None] or "")
        check("dashboard: the slow group loses, and Prometheus knows", got >= 20_000, f"{got:,.0f} records")
        seen = value('max(supyo_consumergroup_lost_total{consumergroup="slow-consumer-group",instance="127.0.0.1:%d"})' % watch)
        check("dashboard: seen from outside it is about as much", 0.5 * got < seen < 1.5 * got + 5000, f"{seen:,.0f} by its commits")
        check("dashboard: the fast group loses nothing", value('max(supyo_consumergroup_lost_total{consumergroup="fast-consumer-group"})') == 0)
        now = time.time()
        for file in DASHBOARDS:
            for panel in json.load(open(file))["panels"]:
                for target in panel["targets"]:
                    series = ask(filled(target["expr"]), start=now - 90, end=now, step=2)
                    empty = "JMX exporter alone" in panel["title"]
                    check(f"dashboard: {os.path.basename(file)} {panel['title']} {target['refId']}{' is empty' if empty else ''}", bool(series) != empty, f"{len(series)} series")
        for name, page in (("watch", watch), ("broker", Ports.broker), ("consume", Ports.consume), ("gen", Ports.gen)):
            text = get(page, "/metrics")
            done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
            check(f"dashboard: promtool finds no fault in the page of {name}", done.returncode == 0, done.stderr)
        slow.send_signal(signal.SIGINT)
        last = json.loads(slow.communicate(timeout=20)[0].splitlines()[-1])
        time.sleep(5)
        place = value('max(supyo_consumergroup_current_offset{consumergroup="slow-consumer-group",instance="127.0.0.1:%d"})' % watch)
        check("dashboard: what the slow consumer handled and lost is all that came before its place", last["handled"] + last["lost"] + last["gaps"] == place, f"{place:,.0f} = {last['handled']:,} + {last['lost']:,}")
    finally:
        for process in reversed(started):   # clients before their broker
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
        shutil.rmtree(own, ignore_errors=True)
    check("dashboard: down -v", stack.run("down", "-v").returncode == 0)
    gone("dashboard", stack, "prometheus", services)


# One row in ten comes two minutes behind, so that something is late; the result goes back to Kafka exactly once.
FLINK_JOB = """CREATE TABLE events (id BIGINT, k INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) WITH ('connector' = 'kafka', 'topic' = 'events', 'properties.bootstrap.servers' = '127.0.0.1:${port}',
  'properties.group.id' = 'flink', 'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
CREATE TABLE made (id BIGINT, k INT) WITH ('connector' = 'datagen', 'rows-per-second' = '500', 'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '500000', 'fields.k.min' = '0', 'fields.k.max' = '9');
CREATE TABLE out_events (id BIGINT, k INT, ts TIMESTAMP(3)) WITH ('connector' = 'kafka', 'topic' = 'events', 'properties.bootstrap.servers' = '127.0.0.1:${port}', 'format' = 'json');
CREATE TABLE counts (k INT, w TIMESTAMP(3), n BIGINT) WITH ('connector' = 'kafka', 'topic' = 'counts', 'properties.bootstrap.servers' = '127.0.0.1:${port}', 'format' = 'json',
  'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = 'stack-test', 'properties.transaction.timeout.ms' = '60000');
INSERT INTO out_events SELECT id, k, CAST(CASE WHEN MOD(id, 10) = 0 THEN LOCALTIMESTAMP - INTERVAL '2' MINUTE ELSE LOCALTIMESTAMP END AS TIMESTAMP(3)) FROM made;
INSERT INTO counts SELECT k, window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '2' SECOND)) GROUP BY k, window_start, window_end"""


def flink(stack):
    """A Flink with Kafka under it and Prometheus beside it: a job is given to its gateway, its results are read, and every panel of its dashboard is asked."""
    up = stack.run("up", "kafka", "flink", "prometheus")
    check("flink: up", up.returncode == 0, f"{up.seconds:.1f} s  {up.stderr if up.returncode else ''}")
    if up.returncode:
        return
    services = stack.services()
    check("flink: ready, memory", all(services[s]["state"] == "ready" for s in ("jobmanager", "taskmanager", "gateway")), ", ".join(f"{n} {services[n]['resident_bytes'] >> 20} MB" for n in ("jobmanager", "taskmanager", "gateway")))
    port, http, gateway, rest = services["broker"]["ports"]["kafka"], services["prometheus"]["ports"]["http"], services["gateway"]["ports"]["sql-gateway"], services["jobmanager"]["ports"]["rest"]
    for topic in ("events", "counts"):
        create_topic(stack, port, topic, 1)


    def submit(*args, text=None):
        return subprocess.run([SUPYO, "submit", *args, "--gateway", f"http://127.0.0.1:{gateway}"], input=text, capture_output=True, text=True, timeout=200)

    given = submit("-", "--set", "execution.checkpointing.interval=1 s", "--var", f"port={port}", "--json", text="SET 'execution.checkpointing.interval' = '1 h';\n" + FLINK_JOB)
    ids = [json.loads(line)["job"] for line in given.stdout.splitlines()]
    check("flink: supyo submit starts both jobs", given.returncode == 0 and len(ids) == 2, given.stderr)
    if len(ids) != 2:
        return
    wrong = submit("-", text="SET 'a' = 'b';\nINSERT INTO nowhere SELECT 1;")
    check("flink: what it refuses has its place and Flink's reason", wrong.returncode == 1 and ":2:1" in wrong.stderr and "nowhere" in wrong.stderr, wrong.stderr)
    end = time.monotonic() + 120

    def counted():
        return [json.loads(line)["n"] for line in kcat(port, "-C", "-t", "counts", "-e", "-q", "-X", "isolation.level=read_committed").stdout.splitlines()]

    while len(counted()) < 50 and time.monotonic() < end:
        time.sleep(1)
    check("flink: a job's windows are in Kafka", len(counted()) >= 50 and 0 < sum(counted()) / len(counted()) <= 120, f"{len(counted())} windows")
    time.sleep(20)   # a rate wants more than one scrape
    jobs = json.loads(get(rest, "/jobs/overview"))["jobs"]
    check("flink: both jobs run", [j["state"] for j in jobs] == ["RUNNING", "RUNNING"], [j["state"] for j in jobs])
    now = time.time()
    for panel in json.load(open("deploy/grafana/dashboards/flink.json"))["panels"]:
        for target in panel["targets"]:
            series = json.loads(get(http, "/api/v1/query_range?" + urllib.parse.urlencode({"query": filled(target["expr"]), "start": now - 60, "end": now, "step": 2})))["data"]["result"]
            values = [float(v) for s in series for _, v in s["values"]]
            check(f"flink: {panel['title']} {target['refId']}", bool(series), f"{len(series)} series, up to {max(values, default=0):g}")
    seen = subprocess.run([SUPYO, "diagnose", "--bootstrap", f"127.0.0.1:{port}", "--flink", f"http://127.0.0.1:{rest}", "--json"], capture_output=True, text=True, timeout=120)
    check("flink: supyo diagnose sees its jobs", seen.returncode in (0, 3, 4) and "insert-into" in seen.stdout, f"{seen.returncode} {seen.stderr[-300:]}")
    stopped = submit("savepoint", ids[0])
    check("flink: a job is stopped with a savepoint", stopped.returncode == 0 and os.path.isdir(stopped.stdout.strip().removeprefix("file:")), stopped.stdout + stopped.stderr)
    check("flink: another is cancelled", submit("cancel", ids[1]).returncode == 0)
    end = time.monotonic() + 60
    while re.search("RUNNING|CANCELLING", submit("status").stdout) and time.monotonic() < end:
        time.sleep(1)
    states = {job: next((line for line in submit("status").stdout.splitlines() if line.startswith(job)), "") for job in ids}
    check("flink: and so they are listed", "FINISHED" in states[ids[0]] and "CANCELED" in states[ids[1]], states)
    os.kill(services["taskmanager"]["pid"], signal.SIGKILL)
    while alive(services["taskmanager"]["pid"]):
        time.sleep(0.01)
    again = stack.run("up", "flink")
    check("flink: up starts a killed TaskManager again", again.returncode == 0 and stack.services()["taskmanager"]["state"] == "ready", again.stderr if again.returncode else "")
    check("flink: down -v", stack.run("down", "-v").returncode == 0)
    gone("flink", stack, "flink", services)


def interrupt(stack):
    process = subprocess.Popen([SUPYO, "stack", "up", "kafka", "--dir", stack.directory, "--downloads", stack.downloads, "--port-offset", str(OFFSET)], stderr=subprocess.PIPE, text=True)
    while "preparing" not in process.stderr.readline():
        pass
    while not os.path.exists(f"{stack.directory}/kafka/broker/process"):
        time.sleep(0.02)
    services = stack.services()
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
    check("interrupt: Ctrl-C during up leaves no process", process.returncode == 1 and stack.services() == {} and not any(alive(s["pid"]) for s in services.values()))
    stack.run("down", "kafka", "-v")
    gone("interrupt", stack, "kafka", services)


def main():
    parts = {"kafka": kafka, "kafka3": kafka3, "replicas": replicas, "gen": gen, "prometheus": prometheus, "dashboard": dashboard, "flink": flink, "interrupt": interrupt}
    for name in sys.argv[1:] or parts:
        if name in ("prometheus", "dashboard", "flink") and not shutil.which("prometheus"):
            print("left out: prometheus is not installed")
            continue
        directory = tempfile.mkdtemp(prefix="supyo-stack-")
        stack = Stack(directory)
        try:
            parts[name](stack)
        finally:
            stack.run("down", "-v")
            shutil.rmtree(directory, ignore_errors=True)
    print(f"stack: {passed} passed, {failed} failed")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
