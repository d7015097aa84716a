#!/usr/bin/env bash
# `make test`: everything that needs no server outside Debian's packages. SUPYO_QUICK=1 leaves out what takes minutes (real-time lab, kills).
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
scripts/build.sh release supyo supyo_parquet
scripts/build.sh dev
ctest --test-dir build/dev --output-on-failure -j "$(nproc)" --timeout 900
SUPYO=$PWD/build/release/supyo build/venv/bin/python tests/e2e/run_all.py
(cd web && npm ci --ignore-scripts --no-audit --no-fund --silent && SUPYO="$PWD/../build/release/supyo" SUPYO_REPORT="$PWD/../build/e2e/lab-lag-blind-sink/report.html" SUPYO_REPORT_TRIALS="$PWD/../build/e2e/lab-detection/report.html" npm test --silent)
