#!/usr/bin/env bash
# `make test`: everything that needs no server outside Debian's packages.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
scripts/build.sh release supyo supyo_parquet
scripts/build.sh dev
ctest --test-dir build/dev --output-on-failure -j "$(nproc)" --timeout 600
