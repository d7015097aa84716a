"""What the pages of examples/ show: the commands of their `console` blocks are carried out, and must print what stands below them.

examples.py [--update] [NAME..]        --update writes what was printed into the pages
"""
import argparse
import os
import re
import shutil
import subprocess

import supyo

BLOCK = re.compile(r"```console\n(.*?)```", re.S)


def steady(text):
    """Without how long it took, and how often a result was corrected in that time."""
    return re.sub(r"[\d,]+ out\b", "some out", re.sub(r" in [\d.,]+ (ms|s|min \d+ s)$", " in a while", text, flags=re.M))


def carry_out(command, work):
    """With this binary for supyo, and its own directory for /tmp."""
    environment = {**os.environ, "PATH": f"{os.path.abspath(work)}/bin:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", command.replace("/tmp/", f"{work}/")], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, f"{command}\nended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return (done.stdout + done.stderr).replace(f"{work}/", "/tmp/")


def check(name, update):
    work = f"build/e2e/examples/{name}"
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(f"{work}/bin")
    os.symlink(os.path.abspath(supyo.BINARY), f"{work}/bin/supyo")
    page = f"examples/{name}/README.md"
    with open(page, encoding="utf-8") as f:
        text = f.read()
    carried_out = []

    def block(match):
        out = ""
        for entry in re.split(r"^\$ ", match.group(1), flags=re.M)[1:]:
            command, _, shown = entry.partition("\n")
            printed = carry_out(command, work)
            carried_out.append(command)
            if not update:
                assert steady(printed) == steady(shown), f"{page}: {command}\nprinted\n{printed}where the page has\n{shown}"
            out += f"$ {command}\n{printed}"
        return f"```console\n{out}```"

    new = BLOCK.sub(block, text)
    assert carried_out, f"{page} shows no command"
    if update:
        with open(page, "w", encoding="utf-8") as f:
            f.write(new)
    print(f"{name}: {len(carried_out)} commands print what the page shows", flush=True)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("names", nargs="*", metavar="NAME")
    options.add_argument("--update", action="store_true")
    args = options.parse_args()
    for name in args.names or sorted(d for d in os.listdir("examples") if os.path.exists(f"examples/{d}/README.md")):
        check(name, args.update)


if __name__ == "__main__":
    main()
