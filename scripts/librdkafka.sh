#!/usr/bin/env bash
# Builds the pinned librdkafka 2.12.1 once, static, into ${SUPYO_DEPS:-~/.cache/supyo}/librdkafka-2.12.1, where cmake/librdkafka.cmake looks for it.
# Its source comes with the crate rdkafka-sys, fetched by cargo (which checks it against its registry) and compared with the checksum below.
# Without cargo, network or a good checksum it says so and ends well: the build then takes Debian's librdkafka-dev 2.0.2.
set -euo pipefail
version=2.12.1
crate=4.10.0+$version
sha256=e234cf318915c1059d4921ef7f75616b5219b10b46e9f3a511a15eb4b56a3f77
prefix=${SUPYO_DEPS:-${XDG_CACHE_HOME:-$HOME/.cache}/supyo}/librdkafka-$version
[ -f "$prefix/.built-2-$sha256" ] && exit 0

fall_back() {
  echo "setup: $1; the build takes Debian's librdkafka 2.0.2 (supyo --version says what that lacks)" >&2
  exit 0
}
command -v cargo >/dev/null || fall_back "no cargo, so no librdkafka $version"
mkdir -p "$(dirname "$prefix")"
exec 9>"$prefix.lock"
flock 9
[ -f "$prefix/.built-2-$sha256" ] && exit 0
echo "setup: building librdkafka $version (about 80 s, once)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
touch "$work/src/lib.rs"
cat >"$work/Cargo.toml" <<P
[package]
name = "librdkafka-source"
version = "0.0.0"
edition = "2021"
[dependencies]
rdkafka-sys = { version = "=$crate", default-features = false }
P
(cd "$work" && timeout 300 cargo vendor --quiet vendor) >"$work/log" 2>&1 || { tail -n 3 "$work/log" >&2; fall_back "cargo could not fetch rdkafka-sys $crate"; }
grep -q "\"package\":\"$sha256\"" "$work/vendor/rdkafka-sys/.cargo-checksum.json" || fall_back "rdkafka-sys $crate has another checksum than the pinned one"
# rdkafka_conf.c asks whether this is defined, but CMake defines it as 0: without libcurl's headers on the machine it would not compile.
sed -i 's/#ifdef WITH_OAUTHBEARER_OIDC/#if WITH_OAUTHBEARER_OIDC/' "$work"/vendor/rdkafka-sys/librdkafka/src/*.c
{
  cmake -G Ninja -S "$work/vendor/rdkafka-sys/librdkafka" -B "$work/b" -DCMAKE_BUILD_TYPE=Release -DRDKAFKA_BUILD_STATIC=ON -DRDKAFKA_BUILD_TESTS=OFF \
    -DCMAKE_C_COMPILER=clang-19 -DCMAKE_CXX_COMPILER=clang++-19 \
    -DRDKAFKA_BUILD_EXAMPLES=OFF -DWITH_SASL=OFF -DWITH_CURL=OFF -DCMAKE_INSTALL_PREFIX="$work/out" &&
    cmake --build "$work/b" && cmake --install "$work/b"
} >"$work/log" 2>&1 || { tail -n 5 "$work/log" >&2; fall_back "librdkafka $version does not build here"; }
rm -rf "$prefix"
mkdir -p "$prefix/lib" "$prefix/include"
cp -r "$work/out/include/librdkafka" "$prefix/include/"
cp "$work/out/lib/librdkafka.a" "$prefix/lib/"
cp "$work/vendor/rdkafka-sys/librdkafka/LICENSES.txt" "$prefix/"
touch "$prefix/.built-2-$sha256"
