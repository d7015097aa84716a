"""The binary end to end, as a user has it. Prints what each check found and closes with 'N passed, N failed'."""
import os
import subprocess
import sys
import traceback

CHECKS = [
    ("flights: equal to the truth at parallelism 1, 2, 4, and after 6 kills", ["tests/e2e/flights.py", "--parallelism", "1,2,4", "--kills", "6", "--seed", "20130101"]),
    ("product: previous values exactly once, killed 10 times", ["tests/e2e/product.py", "--kills", "10", "--seed", "7"]),
    ("applications: orders by region, with their users, dispatches once, alarms; each killed 4 times", ["tests/e2e/applications.py", "--kills", "4", "--seed", "3"]),
    ("examples: the commands of their pages print what the pages show", ["tests/e2e/examples.py"]),
    ("parquet: DuckDB's files copied, killed 4 times, each row once and equal in DuckDB", ["tests/e2e/parquet.py", "--kills", "4", "--seed", "5"]),
    ("bank: with cuts every output is the query over exactly its prefix", ["tests/e2e/bank.py"]),
    ("spill: state beyond its memory, killed 8 times and gone on with under either backend, equals the truth", ["tests/e2e/spill.py", "--seed", "11"]),
    ("jdbc: lookups in SQLite, keyed and appended rows into it, killed 6 times, equal to the truth", ["tests/e2e/jdbc.py", "--kills", "6", "--seed", "9"]),
    ("avro: fastavro reads what is written, other schemas are read, a registry that is away costs nothing", ["tests/e2e/avro.py"]),
    ("judge: killed 4 times below a sink in no transaction, each record is counted once", ["tests/e2e/judge.py", "--kills", "4", "--seed", "13"]),
    ("judge: a pipeline elsewhere by its result topic: a quiet night, brokers that do not answer, a dead job", ["tests/e2e/elsewhere.py"]),
    ("bad input: a numbered error with what to do, nothing lost", ["tests/e2e/bad_input.py"]),
    ("tools: the shell completes and remembers; bench latency and gen --serve leave nothing behind and lose nothing", ["tests/e2e/tools.py"]),
    ("consume: losses counted exactly, kills cost what the commit order says; metrics of broker and groups", ["tests/e2e/consume.py"]),
    ("broker: kcat and librdkafka produce, consume, group, commit transactions, administer", ["tests/broker/clients.py"]),
    ("broker: killed 20 times under load, nothing acknowledged is lost", ["tests/broker/kills.py", "--rounds", "20", "--seed", "7"]),
    ("broker: members of a group come and go, no offset is lost and the group never hangs", ["tests/broker/churn.py", "--members", "8", "--partitions", "12", "--seconds", "20", "--every", "2"]),
    ("broker: none of Jepsen's anomalies under transactions, kills and pauses", ["tests/consistency/workload.py", "--seconds", "15", "--seed", "7"]),
    ("nexmark: 20 of its queries equal to a truth worked out by DuckDB", ["tests/e2e/nexmark.py"]),
    ("fuzz: 200 random queries equal to DuckDB's", ["tests/fuzz/queries.py", "--count", "200", "--seed", "1"]),
    ("lab: CONFIRMED, and the planted REFUTED and INVALID", ["tests/e2e/lab.py"]),
]


def main() -> int:
    os.makedirs("build/e2e", exist_ok=True)
    subprocess.run([sys.executable, "examples/flights/fetch.py", "build/flights"], check=True)
    only = sys.argv[1:]
    passed = failed = 0
    for name, command in CHECKS:
        if only and not any(o in name for o in only):
            continue
        print(f"-- {name}", flush=True)
        try:
            subprocess.run([sys.executable, *command], check=True, timeout=1500)
            passed += 1
        except (subprocess.SubprocessError, OSError):
            traceback.print_exc(limit=1)
            print(f"FAILED: {name}", flush=True)
            failed += 1
    print(f"end to end: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
