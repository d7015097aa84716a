#!/usr/bin/env bash
# `make test-long`: the long campaigns. Hours on a small machine; each part prints its seed and how to repeat it.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build.sh dev
export SUPYO=$PWD/build/release/supyo SUPYO_CRASH_SEQUENCE=4 SUPYO_JOURNAL_SEEDS=2000 SUPYO_MUTATIONS=20000
build/dev/tests/sim/supyo_sim --seeds 2000
ctest --test-dir build/dev --output-on-failure -j "$(nproc)" --timeout 7200
build/venv/bin/python examples/flights/fetch.py build/flights
build/venv/bin/python tests/e2e/flights.py --parallelism 1,2,3,4 --kills 200
build/venv/bin/python tests/e2e/product.py --kills 200
build/venv/bin/python tests/broker/kills.py --rounds 200
build/venv/bin/python tests/broker/churn.py --members 24 --seconds 600 --every 5
for seed in 1 2 3; do build/venv/bin/python tests/consistency/workload.py --seconds 300 --seed "$seed"; done
build/venv/bin/python tests/e2e/bank.py --transfers 10000000 --kills 100
build/venv/bin/python tests/fuzz/queries.py --count 10000
build/venv/bin/python tests/tpc/run.py
build/venv/bin/python tests/tpc/run.py tpch --parallelism 2
SEED=$RANDOM scripts/test_real.sh   # needs a JDK
