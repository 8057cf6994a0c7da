#!/usr/bin/env bash
# Builds and lays out what a C program needs: tools/stage.sh release|dev FOLDER
# FOLDER then holds libparklink.so, libparklink.so.1, include/ and parklink-sandbox.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
profile=$1 to=$2
cd "$root"
case $profile in dev) made=debug ;; *) made=$profile ;; esac
# Two calls: cargo unites the features of what it builds together, and the library shall have its own only.
tools/cargo build --profile "$profile" -p parklink --lib
tools/cargo build --profile "$profile" -p parklink-sandbox
target=${CARGO_TARGET_DIR:-target}/$made
mkdir -p "$to/include"
# Not over the old file: a program may have it open.
for file in libparklink.so parklink-sandbox; do
    cp "$target/$file" "$to/$file.new"
    mv -f "$to/$file.new" "$to/$file"
done
ln -sf libparklink.so "$to/libparklink.so.1"
cp include/*.h "$to/include/"
