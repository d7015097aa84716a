#!/usr/bin/env bash
# `make bench`: hot paths with their baselines in the same run. Micro-benchmarks lie beside the code (*_bench.cc, preset `bench`).
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset bench -DPYARROW_PYTHON="$PWD/build/venv/bin/python" -DSUPYO_TESTS=OFF >build/configure-bench.log 2>&1 || { cat build/configure-bench.log >&2; exit 1; }
scripts/build.sh bench supyo_data_formats_json_bench supyo_data_log_log_bench
SUPYO_PYTHON=$PWD/build/venv/bin/python build/release/supyo bench "$@"
build/bench/supyo_data_formats_json_bench
build/bench/supyo_data_log_log_bench
