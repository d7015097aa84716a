#!/usr/bin/env bash
# `make test-flink`: the labs about a job on a real Flink and a real Kafka (an hour on two cores that nobody else uses), with all that they need: a JDK, Maven and pip, which fetch all once (about 520 MB). LABS="worker-kill" for one of them.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/fetch_flink.sh
supyo=build/release/supyo
"$supyo" stack up kafka
trap '"$supyo" stack down kafka' EXIT
for lab in ${LABS:-worker-kill checkpoint-timeout watermark-stall late-window dedup-horizon stale-join alarm-latency lag-blind-sink lag-blind-sink-writer}; do "$supyo" lab run "$lab" --on real --out "build/labs/$lab"; done
[ -n "${LABS:-}" ] || "$supyo" lab run checkpoint-timeout --on real --set hang=10s --out build/labs/checkpoint-timeout-hangs   # the store that does not answer
