#!/usr/bin/env bash
# The local stack with real servers; not part of `make test`. One at a time on a machine: the ports and the memory are shared.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec flock "${SUPYO_JVM_LOCK:-/tmp/jvm.lock}" python3 tests/stack/run.py "$@"
