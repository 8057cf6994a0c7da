#!/bin/sh
# Speed of the library against small programs that do the same. Each line: what, found, what is asked for.
# Usage: benches/run.sh FOLDER [WORD...]   FOLDER holds libparklink.so and include/; the words choose from
#        facts upload count downlink submit slow live spread drain lanes limit backlog syncs killed idle
# BENCH_LONG=1 takes the long forms; BENCH_DIR is where stores are made (a folder on the disk to be measured).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(cd "${1:?the folder of libparklink.so}" && pwd)
shift
words=${*:-facts upload count downlink submit slow live spread drain lanes limit backlog syncs killed idle}

missing=
for header in curl/curl.h cjson/cJSON.h openssl/evp.h sqlite3.h; do
    echo "#include <$header>" | cc -E -x c - > /dev/null 2>&1 || missing=yes
done
command -v valgrind > /dev/null || missing=yes
if [ -n "$missing" ]; then
    packages="libcurl4-openssl-dev libcjson-dev libssl-dev libsqlite3-dev valgrind"
    echo "installing $packages" >&2
    if [ "$(id -u)" = 0 ]; then root=; else root=sudo; fi
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q $packages > /dev/null ||
        { echo "please install: $packages" >&2; exit 1; }
fi

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
ln -s "$folder/libparklink.so" "$out/libparklink.so.1"
headers=$folder/include
[ -e "$headers/parklink.h" ] || headers=$here/../include

build() {
    program=$1
    shift
    sources=
    for name in "$program" bench server records "$@"; do sources="$sources $here/$name.c"; done
    cc -std=gnu11 -O2 -Wall -Wextra -I"$headers" $sources -o "$out/$program" "$out/libparklink.so.1" \
        -Wl,-rpath,"$out" $libraries -ldl -lm -pthread
}
libraries="-lcurl -lcjson -lcrypto" && build upload plain_client
libraries="-lsqlite3" && build submit group
libraries="-lcurl -lcjson -lcrypto -lsqlite3" && build drain plain_client
libraries=
for program in facts downlink idle live; do build $program; done
cc -std=gnu11 -O2 -Wall -Wextra -shared -fPIC "$here/slow_disk.c" -o "$out/slow_disk.so" -ldl

# User instructions of one upload: the difference between N and 2 N of them, divided by N.
instructions() {
    for times in 1000 2000; do
        valgrind --tool=callgrind --callgrind-out-file=/dev/null "$out/upload" count "$1" $times 2>&1 |
            sed -n 's/.*Collected : //p' | sort -n | tail -1
    done | { read -r once; read -r twice; echo $(((twice - once) / 1000)); }
}

slow() { SLOW_DISK_MS=8 LD_PRELOAD="$out/slow_disk.so" "$out/$@"; }

for word in $words; do
    case $word in
    facts | downlink | submit | idle) "$out/$word" ;;
    upload) "$out/upload" ;;
    count)
        ours=$(instructions lib) theirs=$(instructions plain)
        awk -v ours="$ours" -v theirs="$theirs" 'BEGIN {
            found = ours / theirs
            printf "%-62s %10.2fx  %-24s %s %d, libcurl %d\n", "upload, HTTP link, instructions vs libcurl + cJSON + OpenSSL",
                found, "(reach <= 0.5)  " (found <= 0.5 ? "ok" : "MISS"), "", ours, theirs }'
        ;;
    slow) slow submit slow ;;
    live) slow live ;;
    spread)
        echo "the last three again, on all $(nproc) processors instead of one:"
        export BENCH_CPU=all
        "$out/submit"
        slow submit slow
        slow live
        unset BENCH_CPU
        ;;
    drain) "$out/drain" plain ;;
    lanes | limit | backlog | killed) "$out/drain" "$word" ;;
    syncs) SLOW_DISK_MS=0 LD_PRELOAD="$out/slow_disk.so" "$out/drain" syncs ;;
    *) echo "unknown: $word" >&2; exit 1 ;;
    esac
done
