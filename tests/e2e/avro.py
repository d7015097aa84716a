"""Formats avro-confluent and debezium-avro-confluent over `supyo broker`: records that fastavro wrote with other schemas are read, what is written is read by fastavro, a registry that is away is waited for.

avro.py [--real]     --real: beside it Apicurio's registry and Flink 2.1.3 with its own format, both ways (needs a JDK and Maven); without it a registry of some lines, here
"""
import argparse
import contextlib
import datetime
import decimal
import fcntl
import hashlib
import http.server
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import confluent_kafka as ck
import fastavro

import supyo

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "broker"))
import flink_jvm  # noqa: E402
from broker import Broker, check  # noqa: E402
from clients import create  # noqa: E402

WORK = os.path.abspath("build/e2e/avro")
USER = "reader:secret"
APICURIO = ("io.apicurio:apicurio-registry-app:2.6.13.Final:tar.gz:all", "apicurio-registry-app-2.6.13.Final-all.tar.gz", "3cda1b34aa020fb4ac4dd6a66018d757e81e437f97e20a1f92d366b70091c6ba")
FORMAT = ("org.apache.flink:flink-sql-avro-confluent-registry:2.1.0", "flink-sql-avro-confluent-registry-2.1.0.jar", "f21b26fc23f2e7d989fdbc1f319c5066605805909d884666f7b4aa40840d6dca")

COLUMNS = ("id BIGINT NOT NULL, small TINYINT, n INT, price DECIMAL(10, 2), x DOUBLE, f FLOAT, name STRING, ok BOOLEAN, at_ TIMESTAMP(3), day_ DATE, raw_ BYTES, "
           "address ROW<city STRING, zip INT>, tags ARRAY<STRING>, sizes MAP<STRING, BIGINT>")
ROWS = """(CAST(1 AS BIGINT), CAST(-7 AS TINYINT), 12, CAST(12.50 AS DECIMAL(10, 2)), 1.5e0, CAST(0.5 AS FLOAT), '서울', TRUE, TIMESTAMP '1969-12-31 23:59:59.999', DATE '2024-02-29', x'ff00',
   ROW('a', 1), ARRAY['x', 'y'], MAP['k', CAST(5 AS BIGINT)]),
 (CAST(-2 AS BIGINT), CAST(NULL AS TINYINT), CAST(NULL AS INT), CAST(NULL AS DECIMAL(10, 2)), CAST(NULL AS DOUBLE), CAST(NULL AS FLOAT), CAST(NULL AS STRING), CAST(NULL AS BOOLEAN), CAST(NULL AS TIMESTAMP(3)),
   CAST(NULL AS DATE), CAST(NULL AS BYTES), CAST(NULL AS ROW<city STRING, zip INT>), CAST(NULL AS ARRAY<STRING>), CAST(NULL AS MAP<STRING, BIGINT>)),
 (CAST(9223372036854775807 AS BIGINT), CAST(127 AS TINYINT), -2147483647, CAST(-99999999.99 AS DECIMAL(10, 2)), -0.1e0, CAST(-2.5 AS FLOAT), '', FALSE, TIMESTAMP '2262-01-01 00:00:00.001', DATE '1900-01-01', x'',
   ROW('b', CAST(NULL AS INT)), ARRAY['z'], MAP['l', CAST(-1 AS BIGINT)])"""


class Registry:
    """Schemas by their number and subject, as Confluent's registry serves them; asks for a name and a password."""

    def __init__(self, port=0, kept=None):
        self.schemas, self.subjects = kept or ([], {})
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, status, body):
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def allowed(self):
                import base64
                good = self.headers.get("Authorization") == "Basic " + base64.b64encode(USER.encode()).decode()
                if not good:
                    self.answer(401, {"error_code": 401, "message": "Unauthorized"})
                return good

            def do_GET(self):
                if not self.allowed():
                    return
                parts = self.path.strip("/").split("/")
                if parts[:2] == ["schemas", "ids"] and int(parts[2]) <= len(registry.schemas):
                    self.answer(200, registry.schemas[int(parts[2]) - 1])
                elif parts[0] == "subjects" and len(parts) == 4:
                    self.answer(200, registry.schemas[registry.subjects[parts[1]][int(parts[3]) - 1] - 1])
                else:
                    self.answer(404, {"error_code": 40403, "message": "Schema not found"})

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if not self.allowed():
                    return
                subject = self.path.strip("/").split("/")[1]
                if subject == "frozen-value":
                    self.answer(409, {"error_code": 409, "message": "Schema being registered is incompatible with an earlier schema"})
                    return
                self.answer(200, {"id": registry.add(subject, body["schema"])})

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.login = f", 'avro-confluent.basic-auth.credentials-source' = 'USER_INFO', 'avro-confluent.basic-auth.user-info' = '{USER}'"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def add(self, subject, schema, references=()):
        entry = {"schema": schema, **({"references": list(references)} if references else {})}
        if entry not in self.schemas:
            self.schemas.append(entry)
        number = self.schemas.index(entry) + 1
        if number not in self.subjects.setdefault(subject, []):
            self.subjects[subject].append(number)
        return number

    def schema(self, number):
        return self.schemas[number - 1]["schema"]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def fetched(artifact, name, sha256):
    """A file of Maven's, in the cache."""
    folder = os.path.join(os.path.dirname(flink_jvm.CACHE), "avro")
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        subprocess.run(["mvn", "-B", "-q", "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={folder}"], check=True)
    with open(path, "rb") as f:
        found = hashlib.sha256(f.read()).hexdigest()
    check(found == sha256, f"{name} has the checksum {found}")
    return path


class Apicurio:
    """The real registry, by its Confluent interface."""
    login = ""

    def __init__(self):
        archive = fetched(*APICURIO)
        folder = archive.removesuffix("-all.tar.gz")
        if not os.path.exists(f"{folder}/.complete"):
            os.makedirs(folder, exist_ok=True)
            subprocess.run(["tar", "xzf", archive, "-C", folder], check=True)
            open(f"{folder}/.complete", "w", encoding="ascii").close()
        with contextlib.closing(socket.socket()) as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        java = os.path.join(os.environ["JAVA_HOME"], "bin", "java") if os.environ.get("JAVA_HOME") else "java"
        self.process = subprocess.Popen([java, "-Xmx384m", f"-Dquarkus.http.port={port}", "-Dquarkus.http.host=127.0.0.1", "-jar", f"{folder}/apicurio-registry-app-2.6.13.Final-runner.jar"],
                                        stdout=open(f"{WORK}/apicurio.log", "w", encoding="utf-8"), stderr=subprocess.STDOUT)
        self.url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.url}/subjects", timeout=5).read()
                return
            check(self.process.poll() is None, f"Apicurio ended, see {WORK}/apicurio.log")
            time.sleep(0.2)
        raise AssertionError("Apicurio does not answer")

    def request(self, path, body=None):
        request = urllib.request.Request(self.url + path, data=None if body is None else json.dumps(body).encode(), headers={"Content-Type": "application/vnd.schemaregistry.v1+json"})
        return json.load(urllib.request.urlopen(request, timeout=30))

    def add(self, subject, schema, references=()):
        return self.request(f"/subjects/{subject}/versions", {"schema": schema, **({"references": list(references)} if references else {})})["id"]

    def schema(self, number):
        return self.request(f"/schemas/ids/{number}")["schema"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)


def table(name, columns, b, registry, format="avro-confluent", extra=""):
    login = registry.login.replace("avro-confluent", format)
    return (f"CREATE TABLE {name} ({columns}) WITH ('connector' = 'kafka', 'topic' = '{name}', 'properties.bootstrap.servers' = '{b.address}', 'scan.startup.mode' = 'earliest-offset', "
            f"'scan.bounded.mode' = 'latest-offset', 'format' = '{format}', '{format}.url' = '{registry.url}'{login}{extra});\n")


def produced(b, topic, number, schema, rows):
    p = ck.Producer({"bootstrap.servers": b.address})
    for row in rows:
        out = io.BytesIO(b"\0" + number.to_bytes(4, "big"))
        out.seek(5)
        fastavro.schemaless_writer(out, schema, row)
        p.produce(topic, out.getvalue())
    p.flush(30)


def values(b, topic):
    """All (key, value) of the topic's only partition, as read_committed sees them."""
    c = ck.Consumer({"bootstrap.servers": b.address, "group.id": "check", "isolation.level": "read_committed", "enable.partition.eof": True})
    c.assign([ck.TopicPartition(topic, 0, 0)])
    out = []
    while True:
        m = c.poll(30)
        check(m is not None, f"{topic} is read to its end")
        if m.error() is not None:
            c.close()
            return out
        out.append((m.key(), m.value()))


def decoded(registry, value):
    check(value[0] == 0, "a zero first")
    schema = fastavro.parse_schema(json.loads(registry.schema(int.from_bytes(value[1:5], "big"))))
    return fastavro.schemaless_reader(io.BytesIO(value[5:]), schema)


TRUTH = [
    dict(id=1, small=-7, n=12, price=decimal.Decimal("12.50"), x=1.5, f=0.5, name="서울", ok=True, at_=datetime.datetime(1969, 12, 31, 23, 59, 59, 999000, datetime.timezone.utc), day_=datetime.date(2024, 2, 29),
         raw_=b"\xff\0", address={"city": "a", "zip": 1}, tags=["x", "y"], sizes={"k": 5}),
    dict(id=-2, **{k: None for k in ("small", "n", "price", "x", "f", "name", "ok", "at_", "day_", "raw_", "address", "tags", "sizes")}),
    dict(id=2**63 - 1, small=127, n=-2147483647, price=decimal.Decimal("-99999999.99"), x=-0.1, f=-2.5, name="", ok=False, at_=datetime.datetime(2262, 1, 1, 0, 0, 0, 1000, datetime.timezone.utc),
         day_=datetime.date(1900, 1, 1), raw_=b"", address={"city": "b", "zip": None}, tags=["z"], sizes={"l": -1}),
]


def written_is_read_by_others(b, registry):
    supyo.run("sql", "-e", table("ours", COLUMNS, b, registry) + f"INSERT INTO ours SELECT * FROM (VALUES {ROWS}) AS t;")
    got = sorted((decoded(registry, v) for _, v in values(b, "ours")), key=lambda r: r["id"])
    check(got == sorted(TRUTH, key=lambda r: r["id"]), f"fastavro reads what was written: {got}")


# Another order, names and types; an enum, a union of three, a field that nobody asks for, one that is not there, a schema that refers to another.
WRITER = {"type": "record", "name": "Order", "namespace": "org.example", "fields": [
    {"name": "parent", "type": ["null", "Order"], "default": None}, {"name": "note", "type": ["string", "null", "long"]}, {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID"]}},
    {"name": "at_", "type": {"type": "long", "logicalType": "timestamp-micros"}}, {"name": "price", "type": {"type": "fixed", "name": "Price", "size": 7, "logicalType": "decimal", "precision": 12, "scale": 4}},
    {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [{"name": "amount", "type": "int"}, {"name": "sku", "type": "string"}]}}}, {"name": "id", "type": "int"}]}


def others_are_read(b, registry):
    line = {"type": "record", "name": "org.example.Money", "fields": [{"name": "cents", "type": "long"}]}
    registry.add("money", json.dumps(line))
    second = {"type": "record", "name": "org.example.Order2", "fields": [{"name": "id", "type": "long"}, {"name": "total", "type": "org.example.Money"}]}
    number = registry.add("orders-value", json.dumps(WRITER))
    # Another line of the topic, with a schema that refers to the first; a registry's own rules would refuse it in that subject.
    number2 = registry.add("orders-later", json.dumps(second), [{"name": "org.example.Money", "subject": "money", "version": 1}])
    at = datetime.datetime(2024, 5, 1, 12, 0, 0, 123456, datetime.timezone.utc)
    order = {"parent": None, "note": None, "state": "PAID", "at_": at, "price": decimal.Decimal("-12.3450"), "lines": [{"amount": 2, "sku": "a"}, {"amount": 1, "sku": "b"}], "id": 1}
    produced(b, "orders", number, fastavro.parse_schema(WRITER), [order, {**order, "id": 2, "parent": order, "note": 7, "state": "NEW", "lines": []}, {**order, "id": 3, "note": "text"}])
    inline = {**second, "fields": [second["fields"][0], {"name": "total", "type": line}]}
    produced(b, "orders", number2, fastavro.parse_schema(inline), [{"id": 4, "total": {"cents": 5}}])
    p = ck.Producer({"bootstrap.servers": b.address})
    p.produce("orders", b"\0\0\0\x27\x0f\0")     # a number that nobody knows
    p.produce("orders", b"plain text")
    p.flush(30)
    columns = "id BIGINT, state STRING, at_ TIMESTAMP_LTZ(6), price DECIMAL(10, 2), note BIGINT, `lines` ARRAY<ROW<sku STRING, amount INT>>, total ROW<cents BIGINT>, missing STRING"
    rows = supyo.query("SET 'table.local-time-zone' = 'UTC';\n" + table("orders", columns, b, registry) + "SELECT id, state, CAST(at_ AS STRING) AS at_, price, note, CARDINALITY(`lines`) AS n, `lines`[1].sku AS sku, total.cents AS cents, missing FROM orders;")
    want = [dict(id=1, state="PAID", at_="2024-05-01 12:00:00.123456", price=-12.35, note=None, n=2, sku="a", cents=None, missing=None),
            dict(id=2, state="NEW", at_="2024-05-01 12:00:00.123456", price=-12.35, note=7, n=0, sku=None, cents=None, missing=None),
            dict(id=4, state=None, at_=None, price=None, note=None, n=None, sku=None, cents=5, missing=None)]
    got = sorted(rows, key=lambda r: r["id"])
    check([{**r, "price": None if r["price"] is None else float(r["price"])} for r in got] == want, f"rows by four schemas: {got}")
    declared = table("orders", columns, b, registry)
    with open(f"{WORK}/orders.sql", "w", encoding="utf-8") as f:
        f.write(declared + f"CREATE TABLE copy_ (id BIGINT, note BIGINT) WITH ('connector' = 'filesystem', 'path' = '{WORK}/copy', 'format' = 'json');\nINSERT INTO copy_ SELECT id, note FROM orders;\n")
    supyo.run("run", f"{WORK}/orders.sql", "--state", f"{WORK}/orders-state")
    dead = supyo.query(declared + "SELECT field, reason FROM `orders$dead`;", "--state", f"{WORK}/orders-state")
    reasons = sorted((d["field"] or "", d["reason"]) for d in dead)
    check(len(reasons) == 3 and any("no schema 9999" in r for _, r in reasons) and ("note", "it is written as string, which is no BIGINT") in reasons, f"what is no row says why: {reasons}")


def keys_and_changes(b, registry):
    login = registry.login.replace("'avro-confluent.", "'value.avro-confluent.") + registry.login.replace("'avro-confluent.", "'key.avro-confluent.")
    counts = (f"CREATE TABLE counts (word STRING, n BIGINT NOT NULL, PRIMARY KEY (word) NOT ENFORCED) WITH ('connector' = 'upsert-kafka', 'topic' = 'counts', 'properties.bootstrap.servers' = '{b.address}', "
              f"'key.format' = 'avro-confluent', 'key.avro-confluent.url' = '{registry.url}', 'value.format' = 'avro-confluent', 'value.avro-confluent.url' = '{registry.url}'{login});\n")
    words = "(VALUES ('a'), ('b'), ('a')) AS t (word)"
    supyo.run("sql", "-e", counts + f"INSERT INTO counts SELECT word, COUNT(*) FROM {words} GROUP BY word;")
    last = {decoded(registry, k)["word"]: decoded(registry, v)["n"] for k, v in values(b, "counts")}
    check(last == {"a": 2, "b": 1}, f"keys and values: {last}")
    changes = table("changes", "word STRING, n BIGINT", b, registry, "debezium-avro-confluent")
    supyo.run("sql", "-e", changes + f"INSERT INTO changes SELECT word, COUNT(*) FROM {words} GROUP BY word;")
    log = [decoded(registry, v) for _, v in values(b, "changes")]
    check(all((e["op"] == "c") == (e["before"] is None) for e in log), f"changes as Debezium's: {log}")
    rows = supyo.query(changes + "SELECT SUM(n) AS n, COUNT(*) AS words FROM changes;")
    check(rows[-1]["n"] == 3 and rows[-1]["words"] == 2, f"changes are read again: {rows[-1]}")


def bad_input(b, registry):
    def fails(sql, *texts):
        done = supyo.run("sql", "-e", sql, check=False)
        check(done.returncode != 0 and all(t in done.stderr for t in texts), f"{texts} in: {done.stderr[-600:]}")
    frozen = table("frozen", "id BIGINT", b, registry)
    fails(frozen + "INSERT INTO frozen VALUES (1);", "frozen-value", "incompatible")
    fails(table("ours", COLUMNS, b, registry).replace(registry.login, "") + "SELECT id FROM ours;", "Unauthorized", "basic-auth")
    fails(table("ours", COLUMNS, b, registry).replace(f"'avro-confluent.url' = '{registry.url}'", "'avro-confluent.subject' = 'x'") + "SELECT id FROM ours;", "avro-confluent.url")
    fails(table("ours", "`a b` BIGINT", b, registry) + "INSERT INTO ours VALUES (1);", "'a b'")


def a_registry_that_is_away(b, registry):
    """The job waits and goes on; nothing is lost, nothing is dead."""
    kept, port = (registry.schemas, registry.subjects), registry.server.server_address[1]
    sql = (table("ours", COLUMNS, b, registry) + f"CREATE TABLE out_ (id BIGINT, name STRING) WITH ('connector' = 'filesystem', 'path' = '{WORK}/out', 'format' = 'json');\n"
           "SET 'execution.checkpointing.interval' = '100 ms';\nSET 'restart-strategy.type' = 'fixed-delay';\nSET 'restart-strategy.fixed-delay.attempts' = '100';\nSET 'restart-strategy.fixed-delay.delay' = '300 ms';\n"
           "INSERT INTO out_ SELECT id, name FROM ours;\n")
    with open(f"{WORK}/away.sql", "w", encoding="utf-8") as f:
        f.write(sql)
    registry.stop()
    process = subprocess.Popen([supyo.BINARY, "run", f"{WORK}/away.sql", "--state", f"{WORK}/state"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    time.sleep(2)
    check(process.poll() is None, "the job waits for its registry" + ("" if process.poll() is None else ": " + process.stdout.read()[-1500:]))
    again = Registry(port, kept)
    out = process.communicate(timeout=120)[0]
    check(process.returncode == 0, f"it ends well: {out[-1500:]}")
    rows = supyo.query(f"CREATE TABLE out_ (id BIGINT, name STRING) WITH ('connector' = 'filesystem', 'path' = '{WORK}/out', 'format' = 'json'); SELECT * FROM out_;")
    check(sorted(r["id"] for r in rows) == [-2, 1, 2**63 - 1], f"each row once: {rows}")
    return again


def beside_flink(b, registry):
    """Flink's own format writes what we read and reads what we wrote; the same table has the same schema in the registry."""
    lib = flink_jvm.fetch()
    with open("/tmp/jvm.lock", "w", encoding="ascii") as lock:   # one of the big JVMs at a time
        fcntl.flock(lock, fcntl.LOCK_EX)
        sql = (table("theirs", COLUMNS, b, registry) + f"INSERT INTO theirs SELECT * FROM (VALUES {ROWS}) AS t;\n" + table("ours", COLUMNS, b, registry)
               + f"CREATE TABLE copies ({COLUMNS}) WITH ('connector' = 'kafka', 'topic' = 'copies', 'properties.bootstrap.servers' = '{b.address}', 'format' = 'json');\nINSERT INTO copies SELECT * FROM ours;\n"
               + table("their_changes", "word STRING, n BIGINT", b, registry, "debezium-avro-confluent")
               + "INSERT INTO their_changes SELECT word, COUNT(*) FROM (VALUES ('a'), ('b'), ('a')) AS t (word) GROUP BY word;\n"
               + table("changes", "word STRING, n BIGINT", b, registry, "debezium-avro-confluent")
               + f"CREATE TABLE sums (w STRING, n BIGINT, PRIMARY KEY (w) NOT ENFORCED) WITH ('connector' = 'upsert-kafka', 'topic' = 'sums', 'properties.bootstrap.servers' = '{b.address}', 'key.format' = 'json', "
               "'value.format' = 'json');\nINSERT INTO sums SELECT word, n FROM changes WHERE n > 0;\n".replace("SELECT word, n", "SELECT word AS w, SUM(n)").replace("WHERE n > 0", "GROUP BY word"))
        jar = fetched(*FORMAT)
        flink_jvm.run(f"{lib}/*:{jar}:{lib}", WORK, sql, ["parallelism.default=1"], ["-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
    schemas = {t: registry.schema(int.from_bytes(values(b, t)[0][1][1:5], "big")) for t in ("ours", "theirs", "changes", "their_changes")}
    check(json.loads(schemas["ours"]) == json.loads(schemas["theirs"]), f"a table's schema is Flink's:\n{schemas['ours']}\n{schemas['theirs']}")
    check(json.loads(schemas["changes"]) == json.loads(schemas["their_changes"]), f"that of changes, too:\n{schemas['changes']}\n{schemas['their_changes']}")
    check(sorted(v for _, v in values(b, "ours")) == sorted(v for _, v in values(b, "theirs")), "the same bytes, the schema's number with them")
    text = "SELECT CAST(id AS STRING) AS id, CAST(address AS STRING) AS address, CAST(tags AS STRING) AS tags, CAST(sizes AS STRING) AS sizes, CAST(raw_ AS STRING) AS raw_, small, n, price, x, f, name, ok, at_, day_ FROM "
    ours, theirs = (supyo.query(table(t, COLUMNS, b, registry) + text + t + ";") for t in ("ours", "theirs"))
    key = lambda r: r["id"]  # noqa: E731
    check(sorted(ours, key=key) == sorted(theirs, key=key) and len(ours) == 3, f"what Flink wrote: {theirs}")
    copies = sorted((json.loads(v) for _, v in values(b, "copies")), key=lambda r: r["id"])
    check([(r["id"], r["name"], r["address"], r["tags"], r["sizes"]) for r in copies] == [(r["id"], r["name"], r["address"], r["tags"], r["sizes"]) for r in sorted(TRUTH, key=lambda r: r["id"])], f"what Flink read: {copies}")
    check(supyo.query(table("their_changes", "word STRING, n BIGINT", b, registry, "debezium-avro-confluent") + "SELECT SUM(n) AS n FROM their_changes;")[-1] == {"n": 3}, "Flink's changes")
    last = {json.loads(k)["w"]: None if v is None else json.loads(v)["n"] for k, v in values(b, "sums")}
    check(last == {"a": 2, "b": 1}, f"our changes, in Flink: {last}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", action="store_true")
    real = parser.parse_args().real
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    registry = Apicurio() if real else Registry()
    try:
        with Broker(f"{WORK}/data", num_partitions=1) as b:
            for topic in ("ours", "theirs", "orders", "counts", "changes", "their_changes", "frozen", "copies", "sums"):
                create(b, topic, 1, **({"cleanup.policy": "compact"} if topic in ("counts", "sums") else {}))
            written_is_read_by_others(b, registry)
            others_are_read(b, registry)
            keys_and_changes(b, registry)
            if real:
                beside_flink(b, registry)
            else:
                bad_input(b, registry)
                registry = a_registry_that_is_away(b, registry)
            check(b.stop() == 0, "a clean stop")
    finally:
        registry.stop()
    print("avro: " + ("the same bytes and schemas as Flink's format, each reads the other, by Apicurio's registry" if real else "fastavro reads what was written, other schemas are read, a registry that was away cost nothing"))


if __name__ == "__main__":
    main()
