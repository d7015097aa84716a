#!/usr/bin/env bash
# Flink with its Kafka connector and SQL gateway, for labs about a job on real systems (`supyo lab run worker-kill --on real`): fetched once with pip and Maven (about 300 MB), which know where this
# machine looks. Needs a JDK (17 or 21), Maven and pip.
set -euo pipefail
cd "$(dirname "$0")/.."
lib=$(python3 -c 'import sys; sys.path.insert(0, "tests/broker"); import flink_jvm; print(flink_jvm.fetch())')
gateway=${lib%/lib}/gateway
if [ ! -e "$gateway/flink-sql-gateway-2.1.3.jar" ]; then
  mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -Dartifact=org.apache.flink:flink-sql-gateway:2.1.3 -DoutputDirectory="$gateway"
fi
echo "${lib%/lib}"
