"""Wrong input as users give it: each is a numbered error with what to do and the specified exit status."""
import os
import shutil
import subprocess

import supyo

WORK = os.path.abspath("build/e2e/bad")
GOOD_HEAD = "CREATE TABLE t (a BIGINT, b STRING) WITH ('connector'='filesystem','path'='in.csv','format'='csv');\n"
SINK = "CREATE TABLE o (a BIGINT, b STRING) WITH ('connector'='print');\n"


def write(name, text, mode="w"):
    with open(f"{WORK}/{name}", mode) as f:
        f.write(text)
    return f"{WORK}/{name}"


def expect(label, status, number, *args, hint=True, **kwargs):
    done = supyo.run(*args, check=False, cwd=WORK, **kwargs)
    assert done.returncode == status, f"{label}: status {done.returncode}, expected {status}: {done.stderr[-600:]}"
    assert f"SUPYO-{number}" in done.stderr, f"{label}: no SUPYO-{number} in: {done.stderr[-600:]}"
    if hint:
        assert "hint:" in done.stderr, f"{label}: the error says nothing about what to do: {done.stderr[-600:]}"
    return done


def main():
    supyo.BINARY = os.path.abspath(supyo.BINARY)
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    write("in.csv", "1,a\n2,b\nx,c\n3,d\n")

    syntax = expect("malformed SQL", 1, 2001, "run", write("syntax.sql", GOOD_HEAD + "INSERT INTO o SELEC a FROM t;\n"), hint=False)
    assert "syntax.sql:2:15" in syntax.stderr and "^" in syntax.stderr, "a syntax error shows line and caret: " + syntax.stderr
    expect("unknown table", 1, 2002, "run", write("table.sql", GOOD_HEAD + SINK + "INSERT INTO o SELECT a, b FROM tt;\n"))
    expect("unknown column", 1, 2003, "run", write("column.sql", GOOD_HEAD + SINK + "INSERT INTO o SELECT aa, b FROM t;\n"))
    expect("wrong type", 1, 2006, "run", write("type.sql", GOOD_HEAD + SINK + "INSERT INTO o SELECT b, a FROM t;\n"))
    expect("unknown option", 1, 1002, "run", write("option.sql", GOOD_HEAD.replace("'format'", "'pathh'='x','format'") + SINK + "INSERT INTO o SELECT a, b FROM t;\n"))
    expect("unknown setting", 1, 1002, "run", write("ok.sql", GOOD_HEAD + SINK + "INSERT INTO o SELECT a, b FROM t;\n"), "--set", "parallelism.defualt=2")
    expect("missing data file", 1, 1005, "run", write("nofile.sql", GOOD_HEAD.replace("in.csv", "absent.csv") + SINK + "INSERT INTO o SELECT a, b FROM t;\n"))
    expect("missing SQL file", 1, 1005, "run", "absent.sql")
    expect("unknown command line option", 2, 1001, "run", "--no-such-option")

    # undecodable records: the job goes on, the record is kept with the reason
    done = supyo.run("run", f"{WORK}/ok.sql", "--state", f"{WORK}/state", cwd=WORK)
    assert done.stdout.count("+I[") == 3, done.stdout
    dead = supyo.query("SELECT * FROM `t$dead`", "--state", f"{WORK}/state")
    assert len(dead) == 1 and dead[0]["field"] == "a" and dead[0]["raw"] == "x,c", dead

    # a state directory of another job, and the same job again
    write("other.sql", GOOD_HEAD + SINK + "INSERT INTO o SELECT a + 1, b FROM t;\n")
    expect("state of another job", 1, 3002, "run", "other.sql", "--state", f"{WORK}/state")
    assert supyo.run("run", f"{WORK}/ok.sql", "--state", f"{WORK}/state", cwd=WORK).stdout.count("+I[") == 0, "a finished job does nothing"

    # two processes on one state directory; stop
    endless = write("endless.sql", "CREATE TABLE g (n BIGINT) WITH ('connector'='datagen','rows-per-second'='10');\n"
                    "CREATE TABLE o (n BIGINT) WITH ('connector'='blackhole');\nINSERT INTO o SELECT n FROM g;\n")
    first = subprocess.Popen([supyo.BINARY, "run", endless, "--state", f"{WORK}/busy"], cwd=WORK, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while supyo.run("job", "status", f"{WORK}/busy", check=False).returncode != 0:
            pass
        expect("locked state directory", 1, 3003, "run", endless, "--state", f"{WORK}/busy")
        supyo.run("job", "stop", f"{WORK}/busy")
        assert first.wait(timeout=60) == 0
    finally:
        first.kill()
    expect("no job to stop", 1, 3006, "job", "stop", f"{WORK}/busy")

    print("bad input: every case gave its numbered error")


if __name__ == "__main__":
    main()
