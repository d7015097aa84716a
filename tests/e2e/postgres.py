"""A PostgreSQL server of Debian's package, with data of its own, that is stopped again."""
import glob
import os
import shutil
import socket
import subprocess
import sys


class Postgres:
    name = "PostgreSQL"

    def __init__(self, directory):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/pg_ctl"))
        if not found:
            print("there is no /usr/lib/postgresql/*/bin/pg_ctl; Debian, as root: apt-get install -y --no-install-recommends postgresql-15", file=sys.stderr)
            sys.exit(2)
        self.bin = os.path.dirname(found[-1])
        # It refuses to run as root, and its user must reach the directory.
        self.user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self.directory = directory if not self.user else f"/tmp/supyo-postgres-{os.getpid()}"
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)
        if self.user:
            shutil.chown(self.directory, "postgres")
        with open(f"{self.directory}/password", "w", encoding="ascii") as f:
            f.write("hush-hush\n")
        if self.user:
            shutil.chown(f"{self.directory}/password", "postgres")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.call("initdb", "-D", f"{self.directory}/data", "-A", "scram-sha-256", "-U", "supyo", f"--pwfile={self.directory}/password", "--no-sync", "-E", "UTF8", "--locale=C")
        with open(f"{self.directory}/conf", "w", encoding="ascii") as f:
            f.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = ''\nfsync = off\nshared_buffers = 32MB\n")
        subprocess.run(f"cat {self.directory}/conf >> {self.directory}/data/postgresql.conf", shell=True, check=True)
        self.start()
        self.where = f"'connector' = 'jdbc', 'url' = 'jdbc:postgresql://127.0.0.1:{self.port}/postgres', 'username' = 'supyo', 'password' = 'hush-hush'"

    def call(self, program, *args):
        done = subprocess.run([*self.user, f"{self.bin}/{program}", *args], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd="/", timeout=60)
        assert done.returncode == 0, f"{program} ended with {done.returncode}: {done.stderr[-2000:]}"

    def start(self):
        self.call("pg_ctl", "-D", f"{self.directory}/data", "-l", f"{self.directory}/log", "-w", "-t", "30", "start")

    def restart(self):
        self.call("pg_ctl", "-D", f"{self.directory}/data", "-m", "immediate", "-w", "stop")
        self.start()

    def client(self):
        return [f"{self.bin}/psql", "-X", "-q", "-At", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", f"postgresql://supyo@127.0.0.1:{self.port}/postgres"], {**os.environ, "PGPASSWORD": "hush-hush"}

    def psql(self, sql):
        command, env = self.client()
        done = subprocess.run(command, input=sql, capture_output=True, text=True, env=env, timeout=60)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def run(self, sql):
        self.psql(sql)

    def session(self):
        return Session(*self.client())

    def rows(self, sql):
        return [tuple(line.split("\x1f")) for line in self.psql(sql).splitlines()]

    def stop(self):
        try:
            self.call("pg_ctl", "-D", f"{self.directory}/data", "-m", "immediate", "-w", "stop")
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)


class Session:
    """A connection that stays open, for one thread."""
    END = "that was all"

    def __init__(self, command, env):
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def run(self, sql):
        """Lines of the answer. An error ends the session."""
        self.process.stdin.write(f"{sql}\n\\echo {self.END}\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.rstrip("\n") == self.END:
                return lines
            lines.append(line.rstrip("\n"))
        raise AssertionError(f"psql ended with {self.process.wait()}: {sql[:200]}")
