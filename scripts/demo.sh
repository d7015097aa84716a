#!/usr/bin/env bash
# `make demo`: the lab, then the flights pipeline. No server, no account; each run starts anew.
set -euo pipefail
cd "$(dirname "$0")/.."
supyo=build/release/supyo
out=$PWD/build/demo
data=$PWD/build/flights

say() { printf '\n== %s\n' "$*"; }

say "1. A lab: consumer lag looks normal while the readers of the result are already hurt"
"$supyo" lab run lag-blind-sink --out "$out/lag-blind-sink"

say "2. A year of real flights (2013, New York), replayed in virtual time, exactly once into an Iceberg table"
build/venv/bin/python examples/flights/fetch.py "$data"
rm -rf "$data/state" "$data/warehouse"
status=0
"$supyo" run examples/flights/pipeline.sql --var DATA="$data" --slo examples/flights/slo.yaml --replay departure --state "$data/state" || status=$?
[ "$status" = 0 ] || [ "$status" = 3 ] || exit "$status"

say "The worst hours of the year"
"$supyo" sql -e "CREATE CATALOG lake WITH ('type'='iceberg', 'catalog-type'='hadoop', 'warehouse'='$data/warehouse');
  SELECT origin, window_start, flights, delay_sum, delay_max FROM lake.air.departures ORDER BY delay_sum DESC LIMIT 5;"

say "How late is late? Which watermark bound keeps 99 % of the flights"
"$supyo" late examples/flights/pipeline.sql --var DATA="$data"

cat <<EOF

Done.
  report          $out/lag-blind-sink/report.html   (open it in a browser)
  table           $data/warehouse/air/departures    (Iceberg v2: DuckDB, PyIceberg, Spark and Flink read it)
  late, dead rows $supyo sql --state $data/state -e 'SELECT * FROM \`flights\$late\` LIMIT 5'
EOF
