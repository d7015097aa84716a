"""The lab's three verdicts: its own, and those of its planted variants; virtual and real time agree."""
import json
import os

import supyo


def run(name, *more):
    out = os.path.abspath(f"build/e2e/lab-{name}{'-real' if more else ''}")
    done = supyo.run("lab", "run", name, "--out", out, *more, check=False)
    result = json.load(open(f"{out}/result.json"))
    print(f"{name} {' '.join(more)}: {result['verdict']} (status {done.returncode})")
    return done.returncode, result, out


def main():
    status, result, out = run("lag-blind-sink")
    assert (status, result["verdict"]) == (0, "CONFIRMED"), result["why"]
    page = open(f"{out}/report.html", encoding="utf-8").read()
    assert len(page) < 1_000_000 and "http://" not in page.replace("http://www.w3.org", ""), "the report must be one small file without network"
    for variant, verdict in (("lag-blind-sink-refuted", "REFUTED"), ("lag-blind-sink-invalid", "INVALID")):
        status, result, _ = run(variant)
        assert (status, result["verdict"]) == (0, verdict), (variant, status, result["verdict"], result["why"])
    for lab in ("retention-cliff", "silent-skip", "retention-sizing"):
        for variant, verdict in (("", "CONFIRMED"), ("-refuted", "REFUTED"), ("-invalid", "INVALID")):
            status, result, _ = run(lab + variant)
            assert (status, result["verdict"]) == (0, verdict), (lab + variant, status, result["verdict"], result["why"])
    status, result, _ = run("lag-blind-sink", "--clock", "real")
    assert (status, result["verdict"]) == (0, "CONFIRMED"), result["why"]


if __name__ == "__main__":
    main()
