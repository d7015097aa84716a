#!/usr/bin/env bash
# build.sh PRESET [TARGET ..]: configures once, builds. Quiet unless something fails; progress where a person looks on.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1
shift
mkdir -p build
if [ ! -f "build/$preset/build.ninja" ]; then
  cmake --preset "$preset" -DPYARROW_PYTHON="$PWD/build/venv/bin/python" >"build/configure-$preset.log" 2>&1 || { cat "build/configure-$preset.log" >&2; exit 1; }
fi
start=$SECONDS
if [ -t 1 ]; then
  cmake --build "build/$preset" ${1:+--target "$@"}
else
  echo "build: $preset"
  cmake --build "build/$preset" ${1:+--target "$@"} >"build/build-$preset.log" 2>&1 ||
    { grep -vE '^\[[0-9]+/[0-9]+\] (Building|Linking)' "build/build-$preset.log" | tail -n 60 >&2; exit 1; }
fi
echo "build: $preset is up to date ($((SECONDS - start)) s)"
