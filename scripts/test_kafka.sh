#!/usr/bin/env bash
# `make test-kafka`: tests/kafka/run.py with all that it needs: a JVM and Maven (Debian's), the broker's jars (Maven, checked), a Kafka client of others (pip).
set -euo pipefail
cd "$(dirname "$0")/.."
missing=()
command -v java >/dev/null || missing+=(openjdk-17-jre-headless)
command -v mvn >/dev/null || missing+=(maven)
if ((${#missing[@]})); then
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  echo "test-kafka: installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >build/kafka-setup.log 2>&1 || { tail -n 20 build/kafka-setup.log >&2; exit 1; }
fi
client=confluent-kafka==2.16.1
if [ "$(cat build/kafka-venv/.stamp 2>/dev/null || true)" != "$client" ]; then
  rm -rf build/kafka-venv
  python3 -m venv build/kafka-venv
  build/kafka-venv/bin/pip install --quiet --disable-pip-version-check "$client"
  echo "$client" >build/kafka-venv/.stamp
fi
python=build/kafka-venv/bin/python
case ${BENCH:-} in
  "") ;;
  broker) exec $python tests/broker/bench.py ;;
  *) exec $python tests/kafka/bench.py ;;
esac
$python tests/kafka/run.py --rounds "${ROUNDS:-30}" ${ONLY:+--only "$ONLY"}
[ -z "${ONLY:-}" ] || exit 0
export SUPYO=$PWD/build/release/supyo
$python tests/consistency/workload.py --over kafka --seconds 60
$python tests/broker/streams.py
[ -z "${FLINK:-}" ] || $python tests/broker/flink.py
KAFKA_LIB=${SUPYO_DEPS:-${XDG_CACHE_HOME:-$HOME/.cache}/supyo}/kafka-4.1.1/lib tests/broker/java_clients.sh "$SUPYO"
