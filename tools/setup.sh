#!/usr/bin/env bash
# Installs what `make demo` (no argument), `make test` (argument: test) or `make lint` (argument: lint) need, from the
# system's own packages only. Installs nothing when nothing is missing; says exactly what to install where it cannot do it itself.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
need=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
what=${1:-build}

has() { command -v "$1" >/dev/null 2>&1; }
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

packages=()
has cc || packages+=(gcc)
[ -e /usr/include/stdlib.h ] || packages+=(libc6-dev)
has make || packages+=(make)
has python3 || packages+=(python3)
# cargo fetches the libraries that this one builds on, over TLS.
[ -e /etc/ssl/certs/ca-certificates.crt ] || packages+=(ca-certificates)
if [ "$what" = lint ]; then
    has git || packages+=(git)
fi
if [ "$what" = test ]; then
    has c++ || packages+=(g++)
    has valgrind || packages+=(valgrind)
    # valgrind reads the C library's symbols to know what belongs to it.
    has valgrind || packages+=(libc6-dbg)
    has nm || packages+=(binutils)
    has openssl || packages+=(openssl)
fi
needs_rust=false
"$root/tools/cargo" >/dev/null 2>&1 || needs_rust=true

needs_lint=false
if [ "$what" = lint ] && ! $needs_rust; then
    { "$root/tools/cargo" fmt --version && "$root/tools/cargo" clippy --version; } >/dev/null 2>&1 || needs_lint=true
fi

if [ ${#packages[@]} -eq 0 ] && ! $needs_rust && ! $needs_lint; then
    exit 0
fi

sudo=()
by_hand=""
if ! has apt-get; then
    by_hand="this is no Debian or Ubuntu"
elif [ "$(id -u)" -ne 0 ]; then
    if has sudo; then sudo=(sudo); else by_hand="not root, and there is no sudo"; fi
fi
give_up() {
    echo "setup: cannot install by itself: $1." >&2
    echo "setup: please install:${packages[*]:+ ${packages[*]}}" >&2
    if $needs_rust; then
        echo "setup:   Rust $need or newer (cargo and rustc), for example:" >&2
        echo "setup:     Debian 12, Debian 13:  apt-get install cargo-web rustc-web" >&2
        echo "setup:     Ubuntu:                apt-get install cargo-1.NN rustc-1.NN, the newest there is" >&2
        echo "setup:     with rustup there:     rustup update stable" >&2
    fi
    exit 1
}
[ -z "$by_hand" ] || give_up "$by_hand"

echo "setup: asking the system for its list of packages"
"${sudo[@]}" apt-get update -q >/dev/null || echo "setup: the list could not be renewed, going on with the old one" >&2

rust=""
if $needs_rust; then
    # cargo, cargo-web (Debian's for browsers, renewed during a release), cargo-1.NN (Ubuntu's): any new enough.
    for cargo in cargo cargo-web $(apt-cache pkgnames cargo-1 | grep -E '^cargo-1\.[0-9]+$' | sort -rV || true); do
        rustc=${cargo/cargo/rustc}
        version=$(apt-cache policy "$rustc" 2>/dev/null | sed -n 's/^ *Candidate: *//p' | sed 's/[+~-].*//')
        case $version in "" | "(none)") continue ;; esac
        apt-cache show "$cargo" >/dev/null 2>&1 || continue
        if at_least "$version" "$need"; then
            rust="$cargo $rustc"
            break
        fi
    done
    [ -n "$rust" ] || give_up "the system's packages hold no Rust $need or newer"
    # shellcheck disable=SC2206
    packages+=($rust)
fi
if [ "$what" = lint ] && { $needs_rust || $needs_lint; }; then
    # The formatter and the linter of the same compiler: they are named after it.
    cargo=${rust%% *}
    [ -n "$cargo" ] || cargo=$(dpkg -S "$("$root/tools/cargo" | cut -d ' ' -f 1)" 2>/dev/null | cut -d : -f 1)
    [ -n "$cargo" ] || give_up "this Rust is not from a package; with rustup: rustup component add rustfmt clippy"
    flavour=${cargo#cargo}
    packages+=("rustfmt$flavour" "rust$flavour-clippy")
fi
echo "setup: installing ${packages[*]}"
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${packages[@]}" >/dev/null ||
    give_up "apt-get failed"
needs_rust=false
"$root/tools/cargo" >/dev/null
echo "setup: done, $("$root/tools/cargo")"
