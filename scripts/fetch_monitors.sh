#!/usr/bin/env bash
# The lag monitors of others that run beside `supyo watch` in tests/watch/monitors.py, fetched once: Burrow (Debian's package, unpacked and not installed) and klag-exporter (from crates; it
# builds librdkafka, ten minutes on two cores). Prints their folder.
set -euo pipefail
folder=${SUPYO_DEPS:-${XDG_CACHE_HOME:-$HOME/.cache}/supyo}/monitors
mkdir -p "$folder"
if [ ! -x "$folder/burrow/usr/bin/Burrow" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && apt-get download -qq burrow 2>apt.log || { cat apt.log >&2; echo "fetch_monitors: Debian's package burrow cannot be had; is apt-get update needed?" >&2; exit 2; })
  dpkg-deb -x "$work"/burrow_*.deb "$folder/burrow"
fi
if [ ! -x "$folder/klag-exporter-0.1.22/bin/klag-exporter" ]; then
  missing=()
  for p in cmake g++ make libssl-dev zlib1g-dev libsasl2-dev libcurl4-openssl-dev; do
    dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing+=("$p")
  done
  if ((${#missing[@]})); then
    as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
  fi
  command -v cargo >/dev/null || { echo "fetch_monitors: klag-exporter is built with Rust's cargo, which is not in PATH: https://rustup.rs" >&2; exit 2; }
  echo "fetch_monitors: building klag-exporter (once, some ten minutes)" >&2
  cargo install --quiet --locked klag-exporter --version 0.1.22 --root "$folder/klag-exporter-0.1.22" >&2
fi
echo "$folder"
