#!/usr/bin/env bash
# `make test-real`: tests/watch/monitors.py (the real Burrow, klag-exporter and ConsumerGroupCommand beside `supyo watch`, on Kafka 3.9.2 and 4.1.1; ONLY=monitors for these alone), tests/e2e/avro.py --real (Flink's avro-confluent and Apicurio's registry; ONLY=avro), tests/flink/run.py and, unless ONLY is given, COUNT (2000) random queries of tests/fuzz/against_flink.py, the same ones each time unless SEED is given, with all that they need: a JDK (java in PATH, or JAVA_HOME), Maven and pip, which fetch Flink once (about 300 MB), and for the monitors cargo.
set -euo pipefail
cd "$(dirname "$0")/.."
java=java
[ -z "${JAVA_HOME:-}" ] || java=$JAVA_HOME/bin/java
if ! command -v "$java" >/dev/null; then
  echo "test-real: Flink needs a JDK (17 or 21): none is in PATH, and JAVA_HOME names none. On Debian: apt-get install openjdk-17-jdk-headless" >&2
  exit 2
fi
if ! "$java" --list-modules | grep -q '^jdk.compiler'; then
  echo "test-real: $java has no compiler: a JDK is needed, not a JRE. On Debian: apt-get install openjdk-17-jdk-headless" >&2
  exit 2
fi
if [ "${ONLY:-monitors}" = monitors ]; then
  command -v mvn >/dev/null || { echo "test-real: Maven is needed to fetch Kafka. On Debian: apt-get install maven" >&2; exit 2; }
fi
if [ ! -e "${SUPYO_DEPS:-${XDG_CACHE_HOME:-$HOME/.cache}/supyo}/flink-2.1.3/.complete" ]; then
  command -v mvn >/dev/null || { echo "test-real: Maven is needed to fetch Flink. On Debian: apt-get install maven" >&2; exit 2; }
  python3 -m pip --version >/dev/null || { echo "test-real: pip is needed to fetch Flink. On Debian: apt-get install python3-pip" >&2; exit 2; }
fi
if [ "${ONLY:-monitors}" = monitors ]; then
  for kafka in 3.9.2 4.1.1; do build/venv/bin/python tests/watch/monitors.py --kafka "$kafka"; done
  [ -z "${ONLY:-}" ] || exit 0
fi
if [ "${ONLY:-avro}" = avro ]; then
  command -v mvn >/dev/null || { echo "test-real: Maven is needed to fetch the registry. On Debian: apt-get install maven" >&2; exit 2; }
  build/venv/bin/python tests/e2e/avro.py --real
  [ -z "${ONLY:-}" ] || exit 0
fi
if [ -n "${ONLY:-}" ]; then exec nice python3 tests/flink/run.py --only "$ONLY"; fi
nice python3 tests/flink/run.py
exec nice python3 tests/fuzz/against_flink.py --count "${COUNT:-2000}" --seed "${SEED:-20261122}"
