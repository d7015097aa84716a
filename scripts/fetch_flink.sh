#!/usr/bin/env bash
# Flink with its Kafka connector and SQL gateway, for labs about a job on real systems (`supyo lab run worker-kill --on real`): fetched once with pip and Maven (about 390 MB), which know where this
# machine looks. Beside it Iceberg's connector, for the lab `lag-blind-sink`, with the slow store that this lab puts under its tables (scenarios/flink/SlowStore.java, compiled here), and a store for
# checkpoints that hangs (scenarios/flink/HangingStore.java). Needs a JDK (17 or 21), Maven and pip.
set -euo pipefail
cd "$(dirname "$0")/.."
lib=$(python3 -c 'import sys; sys.path.insert(0, "tests/broker"); import flink_jvm; print(flink_jvm.fetch())')
gateway=${lib%/lib}/gateway
if [ ! -e "$gateway/flink-sql-gateway-2.1.3.jar" ]; then
  mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -Dartifact=org.apache.flink:flink-sql-gateway:2.1.3 -DoutputDirectory="$gateway"
fi
iceberg=${lib%/lib}/iceberg
mkdir -p "$iceberg"
while read -r sum artifact; do
  IFS=: read -r _ name version <<< "$artifact"
  jar=$iceberg/$name-$version.jar
  [ -e "$jar" ] || mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -Dartifact="$artifact" -DoutputDirectory="$iceberg"
  echo "$sum  $jar" | sha256sum --check --quiet || { rm -f "$jar"; echo "$jar is not what it should be: it is taken away, run this again" >&2; exit 1; }
done <<'ARTIFACTS'
39e658d876f253815b4b17c6676bebf6a24d517afe93a21298106d1d7fa97331 org.apache.iceberg:iceberg-flink-runtime-2.1:1.11.0
6443332781f26a7199009d9517cd1eb013fbf54ca1c9759a2a9e487542b1d52a org.apache.hadoop:hadoop-client-api:3.4.3
bd20267b0555766ae84697dd888f074ca326d8e2ec3c0008928a6ac2966c67de org.apache.hadoop:hadoop-client-runtime:3.4.3
ARTIFACTS
classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT
compile() {   # SOURCE CLASSPATH JAR [SERVICE]: what the labs put beneath Flink, where it is not there as it should be
  [ "$1" -nt "$3" ] || return 0
  rm -rf "${classes:?}"/*
  mkdir -p "${3%/*}"
  javac -nowarn -d "$classes" -cp "$2" "$1"
  if [ -n "${4:-}" ]; then
    mkdir -p "$classes/META-INF/services"
    basename "$1" .java > "$classes/META-INF/services/$4"
  fi
  jar --create --file "$3" -C "$classes" .
}
compile scenarios/flink/SlowStore.java "$iceberg/*" "$iceberg/slow-store.jar"
compile scenarios/flink/HangingStore.java "$lib/*" "${lib%/lib}/hanging/hanging-store.jar" org.apache.flink.core.fs.FileSystemFactory
echo "${lib%/lib}"
