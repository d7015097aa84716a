"""Connector 'jdbc' and a PostgreSQL server that says no, or goes away: each wrong setting ends in an error of its own that names what to do, before a row is written; a server that is stopped hard amid a job, again
and again, costs no row and doubles none.

jdbc_errors.py [--stops N] [--seed S]     a server of Debian's postgresql-15 is started here
"""
import argparse
import os
import random
import shutil
import subprocess
import sys
import threading
import time

import jdbc
import supyo
from postgres import Postgres

WORK = jdbc.WORK
INTO = "CREATE TABLE sums (k INT, name STRING, n BIGINT, total BIGINT, PRIMARY KEY (k) NOT ENFORCED) WITH ({0}); INSERT INTO sums VALUES (1, 'a', 2, 3);"


def refused(db):
    """What is wrong, the statements, the error's number, and what the message must say."""
    names = "CREATE TABLE names ({1}) WITH ({0}); SELECT * FROM names;"
    good = f"{db.where}, 'table-name' = 'names'"
    away = db.where.replace(f":{db.port}/", ":1/")
    return [
        ("wrong password", names.format(good.replace("hush-hush", "guessed"), "k INT"), "SUPYO-1009", ["password authentication failed", "'password'"]),
        ("wrong password of a sink", INTO.format(f"{db.where}, 'table-name' = 'sums'".replace("hush-hush", "guessed")), "SUPYO-1009", ["password authentication failed", "'password'"]),
        ("no password", names.format(good.replace(", 'password' = 'hush-hush'", ""), "k INT"), "SUPYO-1009", ["'password'"]),
        ("no such user", names.format(good.replace("'supyo'", "'nobody'"), "k INT"), "SUPYO-1009", ["nobody"]),
        ("no such database", names.format(good.replace("/postgres'", "/elsewhere'"), "k INT"), "SUPYO-1009", ["elsewhere"]),
        ("nobody listens", names.format(f"{away}, 'table-name' = 'names'", "k INT"), "SUPYO-5001", ["see that the server runs"]),
        ("no such table", names.format(good.replace("'names'", "'nowhere'"), "k INT"), "SUPYO-2002", ["nowhere", "'table-name'"]),
        ("no such table of a sink", INTO.format(f"{db.where}, 'table-name' = 'nowhere'"), "SUPYO-2002", ["nowhere", "'table-name'"]),
        ("no such column", names.format(good, "k INT, nick STRING"), "SUPYO-2003", ["nick"]),
        ("a column of another type", names.format(good, "k INT, since INT"), "SUPYO-2006", ["'since'", "timestamp", "INT"]),
        ("a sink's column of another type", INTO.format(f"{db.where}, 'table-name' = 'words'"), "SUPYO-2006", ["'n'", "BIGINT"]),
        ("a key that the table has not", INTO.format(f"{db.where}, 'table-name' = 'keyless'"), "SUPYO-2009", ["PRIMARY KEY"]),
        ("a user that may not write", INTO.format(f"{db.where.replace(chr(39) + 'supyo' + chr(39), chr(39) + 'reader' + chr(39))}, 'table-name' = 'sums'"), "SUPYO-1009", ["permission denied", "GRANT"]),
    ]


def check_refusals(db):
    db.run(jdbc.TABLES + """
        CREATE TABLE words (k INTEGER PRIMARY KEY, name VARCHAR(40), n TEXT[], total BIGINT); CREATE TABLE keyless (k INTEGER, name VARCHAR(40), n BIGINT, total BIGINT);
        CREATE USER reader PASSWORD 'hush-hush'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader; INSERT INTO names VALUES (1, 'one', now(), 1);""")
    cases = refused(db)
    for what, sql, number, says in cases:
        begin = time.monotonic()
        done = supyo.run("sql", "-e", sql, check=False, timeout=60)
        said = done.stdout + done.stderr
        assert done.returncode != 0 and number in said, f"{what}: ended with {done.returncode}, wants {number}: {said[-1500:]}"
        for part in says:
            assert part in said, f"{what}: does not say {part}: {said[-1500:]}"
        assert "hush" not in said and "guessed" not in said, f"{what}: says the password: {said}"
        assert "hint:" in said, f"{what}: no hint: {said}"
        assert time.monotonic() - begin < 45, f"{what}: took {time.monotonic() - begin:.0f} s"
    assert db.rows("SELECT COUNT(*) FROM sums") == [("0",)], "a refused job has written"
    db.run("DROP TABLE names, sums, seen, words, keyless; DROP OWNED BY reader; DROP USER reader;")
    return len(cases)


def check_stops(db, stops, rng):
    """The job is started again, as a supervisor does, until it ends well."""
    rows, truth = jdbc.write_job(db, 20_000, 1000, rng)
    db.run(jdbc.TABLES + "".join(f"INSERT INTO names (k, name) VALUES ({k}, 'name of {k}');\n" for k in range(1000) if k % 10))
    command = [supyo.BINARY, "run", f"{WORK}/job.sql", "--state", f"{WORK}/state"]
    done_stops = amid = ended = 0
    while done_stops < stops:
        shutil.rmtree(f"{WORK}/state", ignore_errors=True)
        db.run("DELETE FROM sums; DELETE FROM seen; DROP TABLE IF EXISTS supyo_epochs;")
        for _ in range(50):
            job = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            said = []
            reader = threading.Thread(target=lambda job=job, said=said: said.append(job.stderr.read()))
            reader.start()
            while job.poll() is None and done_stops < stops:
                time.sleep(rng.uniform(0.02, 0.3))
                if job.poll() is not None:
                    break
                db.restart()
                done_stops += 1
                amid += 0 < len(db.rows("SELECT id FROM seen")) < len(rows)
            try:
                job.wait(timeout=240)
            finally:
                job.kill()
                reader.join()
            if job.returncode == 0:
                break
            ended += 1
            assert "SUPYO-5001" in said[0] and "see that the server runs" in said[0], f"ended with {job.returncode}: {said[0][-1500:]}"
        else:
            raise AssertionError("the job did not end well in 50 runs")
        jdbc.check(db, truth, rows, f"after {done_stops} stops of the server")
    return done_stops, amid, ended


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--stops", type=int, default=8)
    p.add_argument("--seed", type=int, default=random.randrange(10**9))
    args = p.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    db = Postgres(f"{WORK}/postgres")
    try:
        cases = check_refusals(db)
        stops, amid, ended = check_stops(db, args.stops, random.Random(args.seed))
    finally:
        db.stop()
    print(f"jdbc_errors: {cases} wrong settings refused each by its own number; rows equal to the truth after {stops} hard stops of the server, {amid} of them amid the rows, which ended {ended} runs (seed {args.seed})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
