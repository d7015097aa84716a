#!/usr/bin/env bash
# Installs what the build, the tests and the demo need and this machine lacks: Debian 12 packages and a Python environment in build/venv.
# Fast and silent when everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build

mapfile -t packages < <(grep -vE '^\s*(#|$)' scripts/packages.txt)
missing=()
for p in "${packages[@]}"; do
  dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing+=("$p")
done
command -v python3 >/dev/null || missing+=(python3)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
if ((${#missing[@]})); then
  command -v apt-get >/dev/null || { echo "setup: this script knows Debian only; install these by hand: ${missing[*]}" >&2; exit 1; }
  as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "setup: not root and no sudo; as root run: apt-get install -y --no-install-recommends ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
  fi
  echo "setup: installing ${#missing[@]} Debian packages"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >build/setup.log 2>&1 ||
    { tail -n 20 build/setup.log >&2; echo "setup: apt-get failed; the whole log is build/setup.log" >&2; exit 1; }
fi

stamp=build/venv/.stamp
want=$(sha256sum scripts/requirements.txt | cut -d' ' -f1)
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$want" ]; then
  echo "setup: making the Python environment build/venv"
  rm -rf build/venv
  python3 -m venv build/venv
  build/venv/bin/pip install --quiet --disable-pip-version-check -r scripts/requirements.txt
  echo "$want" >"$stamp"
fi

scripts/librdkafka.sh
