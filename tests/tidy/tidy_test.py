#!/usr/bin/env python3
"""Holds the rules of the house that a compiler does not: who may include whom, who may touch the machine, how long a file may be.

Run: python3 tests/tidy/tidy_test.py [root]. With --self-test it plants one breach of every rule and fails unless each is found.
"""
import os
import re
import subprocess
import sys
import tempfile

MAX_LINES = 600

# What only core/env/real may call. Rooms that carry a library with its own input and output are named with the reason (ARCHITECTURE, section on the house).
MACHINE = [
    ("clock", r"\b(system_clock|steady_clock|high_resolution_clock|clock_gettime|gettimeofday)\b|[^\w.>:]time\(\s*(nullptr|NULL|0)\s*\)"),
    ("file", r"\bstd::(ifstream|ofstream|fstream|filebuf)\b|\bstd::filesystem\b|\b(fopen|freopen|mkstemp|mmap|fdatasync|fsync|posix_fallocate)\s*\(|(?<![\w:])::(open|openat|rename|unlink)\s*\("),
    ("socket", r"(?<![\w:])::(socket|connect|bind|listen|accept)\s*\(|#include <(sys/socket|netinet/in|netdb|arpa/inet)\.h>"),
    ("thread", r"\bstd::(thread|jthread|async|this_thread)\b|\bpthread_create\b|\b(usleep|nanosleep|sleep_for|sleep_until)\b"),
    ("random", r"\bstd::(random_device|mt19937|mt19937_64|default_random_engine)\b|\bgetrandom\s*\(|[^\w]s?rand\s*\("),
    ("process", r"\b(posix_spawnp?|v?fork|exec[lv]p?e?|popen|wait4|waitpid|waitid)\s*\(|(?<![\w:])::kill\s*\(|std::system\s*\("),
    ("environment", r"\b(secure_)?getenv\s*\("),
]
MACHINE_ALLOWED = {
    # room or file: kinds
    "src/core/env/real/": {"clock", "file", "socket", "thread", "random", "process", "environment"},   # the environment: PATH, and what programs inherit
    "src/cli/": {"environment", "clock"},                        # argv, environment and the terminal are its business
    "src/connect/jdbc/jdbc_options.cc": {"environment"},         # a password that is '${env:NAME}'
    "src/serve/http/": {"socket", "thread", "clock"},            # the server's sockets
    "src/serve/watch/": {"clock"},                               # the terminal
    "src/data/state/big_memory.h": {"file"},                     # mmap of no file: memory, as operator new gives it
}
# Tests read their corpora and make scratch directories; they still must not look at a clock or sleep.
TEST_ALLOWED = {"file", "environment", "random", "thread", "process"}
TEST_NEVER = r"\b(sleep_for|sleep_until|usleep|nanosleep)\b"

HOSTS = ["pypi" + ".org", "python" + "hosted.org", "npmjs" + ".org", "npmjs" + ".com/", "maven" + ".org", "proxy.golang" + ".org", "crates" + ".io",
         "deb.debian" + ".org", "index-" + "url"]
PLACES = ["/wo" + "rk/", "/ro" + "ot/", "/tmp/" + "setup", "/ho" + "me/"]


def tracked_files(root):
    """Paths that git tracks or would track; in a tree without git, all but build output."""
    try:
        out = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True).stdout
        return sorted(p for p in set(out.splitlines()) if os.path.isfile(os.path.join(root, p)))
    except (OSError, subprocess.CalledProcessError):
        found = []
        for directory, names, files in os.walk(root):
            names[:] = [n for n in names if n not in ("build", ".git", "node_modules", "__pycache__")]
            found += [os.path.relpath(os.path.join(directory, f), root) for f in files]
        return sorted(found)


def read_layers(path):
    """The table of cmake/layers.cmake: room -> rooms that it may include."""
    with open(path, encoding="utf-8") as f:
        text = re.sub(r"#.*", "", f.read())
    variables, layers, loop = {}, {}, None

    def expand(words):
        out = []
        for word in words.split():
            m = re.fullmatch(r"\$\{(\w+)\}", word)
            out += variables.get(m.group(1), []) if m else [word]
        return out

    for command, arguments in re.findall(r"(\w+)\s*\(([^)]*)\)", text):
        if command == "set":
            name, *values = arguments.split()
            variables[name] = expand(" ".join(values))
        elif command == "foreach":
            name, *values = arguments.split()
            loop = (name, expand(" ".join(values)))
        elif command == "endforeach":
            loop = None
        elif command == "supyo_layer":
            for value in loop[1] if loop else [None]:
                if loop:
                    variables[loop[0]] = [value]
                room, *allowed = expand(arguments)
                layers[room] = set(allowed)
    return layers


def room_of(path):
    parts = path.split("/")
    if parts[0] == "cli":
        return "cli"
    return "/".join(parts[:2])


def is_test(path):
    return re.search(r"_(test|bench|fuzz)\.cc$|/testing\.h$|_model\.h$|/test_[a-z_]*\.h$", path) is not None


def check_source(path, text, layers):
    """Breaches of one file below src/."""
    inside = path[len("src/"):]
    room = room_of(inside)
    if room not in layers:
        yield f"{path}: room {room} is not in cmake/layers.cmake"
        return
    for number, line in enumerate(text.splitlines(), 1):
        m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if m:
            target = m.group(1)
            other = room_of(target)
            if target.startswith("testkit/") and is_test(path):
                continue
            if "/" not in target:
                yield f'{path}:{number}: include "{target}" by its path from src/'
            elif other != room and other not in layers[room]:
                yield f"{path}:{number}: {room} may not include {other} (cmake/layers.cmake)"
        code = re.sub(r"//.*", "", line)
        for kind, pattern in MACHINE:
            if not re.search(pattern, code):
                continue
            allowed = set().union(*[kinds for prefix, kinds in MACHINE_ALLOWED.items() if path.startswith(prefix)], set())
            if is_test(path):
                allowed = allowed | TEST_ALLOWED
            if kind not in allowed:
                yield f"{path}:{number}: {kind}: only core/env/real calls the machine; take env::Env by constructor"
        if is_test(path) and re.search(TEST_NEVER, code):
            yield f"{path}:{number}: a test does not sleep"
    if path.endswith(".h") and "#pragma once" not in text:
        yield f"{path}: no #pragma once"


def check_text(path, text):
    """Breaches that any tracked text file can have."""
    if path.endswith((".cc", ".h")):
        lines = text.count("\n")
        if lines > MAX_LINES:
            yield f"{path}: {lines} lines; at most {MAX_LINES} (split it by concept)"
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(r"\b(TODO|FIXME|XXX)\b(?!\s*\(?#\d)", line):
                yield f"{path}:{number}: a TODO needs an issue: TODO(#12)"
            if re.match(r"\s*#\s*if\s+0\b", line):
                yield f"{path}:{number}: code that is switched off belongs in git's history"
    for number, line in enumerate(text.splitlines(), 1):
        for host in HOSTS:
            if host in line:
                yield f"{path}:{number}: names a package host ({host}); the ecosystem's own client knows it"
        for place in PLACES:
            if re.search(r"(?<![\w.}])" + re.escape(place), line):
                yield f"{path}:{number}: a path of one machine ({place})"


def check_requirements(path, text, files):
    """docs/requirements.md says in a sentence how many of its lines are met; what it names as the proof is there."""
    states = re.findall(r"^\| [A-Z]+\d*-\d+ \|.*?\| (met|partly|planned) \|", text, re.M)
    said = re.search(r"^(\d+) of (\d+) lines are met\.$", text, re.M)
    if not said or (int(said[1]), int(said[2])) != (states.count("met"), len(states)):
        yield f"{path}: {states.count('met')} of {len(states)} lines are met, which is not what it says"
    for number, line in enumerate(text.splitlines(), 1):
        for name in re.findall(r"`([\w./-]+\.(?:cc|h|py|sh|sql|test|yaml|md))`", line):
            if not any(f == name or f.endswith("/" + name) for f in files):
                yield f"{path}:{number}: names {name}, which is not there"
    yield from check_labs_named(path, text, files)


def check_labs_named(path, text, files):
    for number, line in enumerate(text.splitlines(), 1):
        for names in re.findall(r"\blabs? (`[\w-]+`(?:, `[\w-]+`)*)", line):
            for name in re.findall(r"[\w-]+", names):
                if f"scenarios/{name}.yaml" not in files:
                    yield f"{path}:{number}: names a lab {name}, which is not there"


RULES = ("src/judge/diagnosis/finding.cc", "src/judge/slo/causes.cc", "src/judge/slo/judge_evaluate.cc")   # where the judge's rules have their names


def check_decision_rules(text, sources):
    """docs/decision-rules.md has every rule by which the judge calls something an incident, a ticket or a cause."""
    for path, source in sources.items():
        rules = re.findall(r'return "([a-z]+(?:-[a-z]+)+)";', source) if path.endswith("finding.cc") else re.findall(r'(?:^    \{|\.rule = |tickets\.push_back\(\{|  count\()"([a-z]+(?:-[a-z]+)*)",', source, re.M)
        if not rules:
            yield f"{path}: no rules of the judge are found here any more: mend check_decision_rules"
        for rule in rules:
            if f"`{rule}`" not in text:
                yield f"docs/decision-rules.md: the rule {rule} of {path} is not there"


def check(root):
    layers = read_layers(os.path.join(root, "cmake", "layers.cmake"))
    breaches = []
    rooms = list(layers)
    for i, room in enumerate(rooms):
        for other in layers[room]:
            if other not in layers or rooms.index(other) >= i:
                breaches.append(f"cmake/layers.cmake: {room} may include {other}, which does not come before it")
    files = tracked_files(root)
    texts = {}
    for path in files:
        try:
            with open(os.path.join(root, path), encoding="utf-8") as f:
                text = f.read()
        except UnicodeDecodeError:
            continue
        if path == "docs/decision-rules.md" or path in RULES:
            texts[path] = text
        if path.startswith("src/") and path.endswith((".cc", ".h")):
            breaches += check_source(path, text, layers)
        if not path.startswith("tests/tidy/"):
            breaches += check_text(path, text)
        if path == "docs/requirements.md":
            breaches += check_requirements(path, text, files)
    page = texts.get("docs/decision-rules.md", "")
    breaches += check_labs_named("docs/decision-rules.md", page, files)
    breaches += check_decision_rules(page, {p: texts[p] for p in RULES if p in texts})
    return breaches


def self_test():
    planted = {
        "src/data/types/a.h": ('#pragma once\n#include "sql/plan/p.h"\n', "may not include sql/plan"),
        "src/data/types/b.h": ("// nothing\n", "no #pragma once"),
        "src/data/types/c.cc": ("auto t = std::chrono::system_clock::now();\n", "clock:"),
        "src/data/types/d.cc": ("std::ifstream in(path);\n", "file:"),
        "src/data/types/e.cc": ("std::jthread t;\n", "thread:"),
        "src/data/types/f.cc": ("const char* v = getenv(\"X\");\n", "environment:"),
        "src/data/types/g.cc": ("int fd = ::socket(1, 2, 3);\n", "socket:"),
        "src/data/types/r.cc": ("::kill(pid, 9);\n", "process:"),
        "src/data/types/h.cc": ("std::random_device d;\n", "random:"),
        "src/data/types/i_test.cc": ("std::this_thread::sleep_for(x);\n", "does not sleep"),
        "src/data/types/j.cc": ("int x;\n" * 601, "601 lines"),
        "src/data/types/k.cc": ("// TO" + "DO later\n", "needs an issue"),
        "src/data/types/l.cc": ("#if 0\n#endif\n", "switched off"),
        "src/attic/junk/m.cc": ("int x;\n", "is not in cmake/layers.cmake"),
        "docs/n.md": ("see https://" + HOSTS[0] + "/x\n", "package host"),
        "docs/o.md": ("cd " + PLACES[0] + "x\n", "path of one machine"),
        "src/data/types/q.cc": ('#include "q.h"\n', "by its path from src/"),
        "docs/requirements.md": ("2 of 2 lines are met.\n| S0-1 | a | met | `gone_test.cc` |\n| S0-2 | b | partly | lab `none` |\n", "1 of 2 lines are met"),
        "docs/decision-rules.md": ("`slow-member`: lab `none`\n", "names a lab none"),
    }
    clean = {
        "src/data/types/fine.cc": '#include "core/base/result.h"\n#include "data/types/fine.h"\n// std::thread in a comment\nrealtime(0);\n',
        "src/judge/diagnosis/finding.cc": '    case Cause::kSlowMember: return "slow-member";\n    case Cause::kStuckCompaction: return "stuck-compaction";\n',
        "src/core/env/real/fine.cc": "auto t = std::chrono::steady_clock::now();\n::open(path, 0);\n",
        "src/data/types/fine_test.cc": "std::ifstream in(path);\n",
        "cmake/layers.cmake": "set(CORE core/base core/env)\nsupyo_layer(core/base)\nsupyo_layer(core/env core/base)\nsupyo_layer(data/types ${CORE})\nsupyo_layer(judge/diagnosis)\n"
                              "foreach(room data/log)\n  supyo_layer(${room} ${CORE} data/types)\nendforeach()\nsupyo_layer(sql/plan data/types)\n",
    }
    with tempfile.TemporaryDirectory() as root:
        for path, text in list(clean.items()) + [(p, t) for p, (t, _) in planted.items()]:
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                f.write(text)
        found = check(root)
        wanted = [(path, what) for path, (_, what) in planted.items()] + [("docs/requirements.md", "names gone_test.cc"), ("docs/requirements.md", "names a lab none"), ("docs/decision-rules.md", "the rule stuck-compaction")]
        missed = [f"{path}: '{what}' was not found" for path, what in wanted if not any(b.startswith(path) and what in b for b in found)]
        wrong = [b for b in found if b.split(":")[0] in clean]
    for line in missed + [f"false alarm: {b}" for b in wrong]:
        print(line)
    return not missed and not wrong


def main():
    arguments = sys.argv[1:]
    if "--self-test" in arguments:
        sys.exit(0 if self_test() else 1)
    root = arguments[0] if arguments else os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    breaches = check(root)
    for line in breaches:
        print(line)
    sys.exit(1 if breaches else 0)


if __name__ == "__main__":
    main()
