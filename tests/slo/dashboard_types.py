"""Every dashboard in deploy/ against Grafana's own TypeScript types, fetched from npm (pinned below). There is no Grafana server here that could import them.

dashboard_types.py      needs npm and the network
"""
import glob
import json
import os
import subprocess
import sys
import tempfile

PACKAGES = {"@grafana/grafana-foundation-sdk": "0.0.21", "typescript": "5.9.3"}
OPTIONS = {"strict": True, "noEmit": True, "skipLibCheck": True, "module": "nodenext", "moduleResolution": "nodenext"}
# The SDK's enums are compared by their literals, functions are no part of a file, and what every panel has to have is demanded.
TYPES = """
import type { Dashboard, Panel, FieldConfig } from "@grafana/grafana-foundation-sdk/dashboard";
import type { Options as TsOpt, FieldConfig as TsField } from "@grafana/grafana-foundation-sdk/timeseries";
import type { Options as StOpt } from "@grafana/grafana-foundation-sdk/stat";
import type { Options as SlOpt, FieldConfig as SlField } from "@grafana/grafana-foundation-sdk/statetimeline";
import type { Dataquery } from "@grafana/grafana-foundation-sdk/prometheus";
type J<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T : T extends (infer U)[] ? J<U>[] : T extends (...a: any[]) => any ? never : { [K in keyof T]?: J<T[K]> };
type Strict<T, R extends keyof T> = J<T> & { [K in R]-?: J<T[K]> };
type Q = Omit<J<Dataquery>, "_implementsDataqueryVariant">[];
type P<N, O, F> = Omit<Strict<Panel, "id"|"title"|"description"|"gridPos">, "options"|"fieldConfig"|"targets"|"type"> & { type: N; options: J<O>; fieldConfig: { defaults: Omit<J<FieldConfig>, "custom"> & { custom?: J<F> }; overrides: unknown[] }; targets: Q };
type Any = P<"timeseries", TsOpt, TsField> | P<"stat", StOpt, {}> | P<"state-timeline", SlOpt, SlField>;
export type Dash = Omit<Strict<Dashboard, "uid"|"title"|"schemaVersion">, "panels"> & { panels: Any[] };
"""


def compile_all(directory, boards):
    for old in glob.glob(f"{directory}/*.ts"):
        os.remove(old)
    for name, text in boards.items():
        with open(f"{directory}/{name}.ts", "w") as f:
            f.write(f"{TYPES}export const board: Dash = {text}")
    return subprocess.run(["npx", "tsc", "-p", "."], cwd=directory, capture_output=True, text=True)


def main():
    boards = {os.path.basename(file)[:-5]: open(file).read() for file in sorted(glob.glob("deploy/grafana/dashboards/*.json"))}
    with tempfile.TemporaryDirectory(prefix="supyo-types-") as directory:
        json.dump({"name": "types", "private": True, "type": "module", "dependencies": PACKAGES}, open(f"{directory}/package.json", "w"))
        json.dump({"compilerOptions": OPTIONS, "include": ["*.ts"]}, open(f"{directory}/tsconfig.json", "w"))
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=directory, check=True)
        good = compile_all(directory, boards)
        print(f"{'ok    ' if good.returncode == 0 else 'FAILED'}  {len(boards)} dashboards fit Grafana's types", good.stdout[:4000])
        # A check that cannot fail is none.
        bites = True
        for fault in (('"gridPos"', '"gridPoz"'), ('"drawStyle": "line"', '"drawStyle": "wavy"'), ('"title"', '"titel"'), ('"placement": "bottom"', '"placement": "under"')):
            bad = compile_all(directory, {"planted": boards["pipeline"].replace(*fault)})
            bites = bites and bad.returncode != 0
            print(f"{'ok    ' if bad.returncode else 'FAILED'}  {fault[0]} -> {fault[1]} is found")
    sys.exit(0 if good.returncode == 0 and bites else 1)


if __name__ == "__main__":
    main()
