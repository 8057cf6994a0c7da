#!/usr/bin/env python3
"""The demo: days in C against all four platforms, through parklink.h and through the original SDK's functions.

    tools/demo.py FOLDER

FOLDER is what tools/stage.sh made. Shows what the programs say, one line a step, and closes with
"demo: N steps, N ok". Exit status 0 when all were.
"""
import re
import signal
import sys

import examples
import outage
import sandboxed

DAYS = [
    ("lot_day", "a lot's day through include/parklink.h"),
    ("legacy_day", "a lot's day through the seven functions of the original SDK, include/upload_util.h"),
    ("vendor_day", "a vendor platform's day over Bolink's open API, with its pushes"),
    ("merchant_day", "a merchant's day on ETCP, with its pushes"),
]
CLOSING = re.compile(r"^\w+: (\d+) steps, (\d+) ok$")


def day(folder, name):
    """Steps and good ones of one program, on a sandbox of its own."""
    steps = good = 0
    with examples.started(folder, name, "c11") as (child, sandbox):
        for line in child.stdout:
            line = line.decode("utf-8", "replace").rstrip("\n")
            closing = CLOSING.match(line)
            if closing:
                steps, good = int(closing.group(1)), int(closing.group(2))
            else:
                print(line, flush=True)
        code = child.wait(30)
        if code != 0 or steps == 0:
            # Something went wrong that no step has told of.
            print("%s ended with status %d; the sandbox's last words:\n%s" % (name, code, sandbox.said()[-2000:]))
            return max(steps, good + 1), good
    return steps, good


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    signal.signal(signal.SIGTERM, sandboxed.ended)
    steps = good = 0
    for name, what in DAYS:
        print("-- %s: %s" % (name, what), flush=True)
        more, fine = day(sys.argv[1], name)
        steps, good = steps + more, good + fine
    print("-- outage: the network is cut, the program killed, and every record arrives", flush=True)
    more, fine = outage.chapter(sys.argv[1])
    steps, good = steps + more, good + fine
    print("demo: %d steps, %d ok" % (steps, good))
    return 0 if steps and steps == good else 1


if __name__ == "__main__":
    sys.exit(main())
