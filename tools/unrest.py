#!/usr/bin/env python3
"""A lot among misbehaving platforms: runs tests/c/unrest.c and switches the sandbox's faults on and off meanwhile.

    tools/unrest.py FOLDER SECONDS [--valgrind]

FOLDER is what tools/stage.sh made. Seconds for a check, hours for a soak.
"""
import itertools
import os
import subprocess
import sys
import time

import ccode
import sandboxed

FAULTS = [
    {"platform": "cloud", "kind": "close", "count": 1},
    {"platform": "bolink", "kind": "close", "count": 1},
    {"platform": "cloud", "kind": "delay_ms", "value": 50},
    {"platform": "cloud", "kind": "drop", "count": 1},
    {"platform": "bolink", "kind": "drop", "count": 2},
    {"platform": "cloud", "kind": "split", "value": 3},
    {"platform": "cloud", "kind": "garbage", "count": 1},
    {"platform": "bolink", "kind": "garbage", "count": 2},
    {"platform": "bolink", "kind": "http_status", "value": 503, "count": 3},
    {"platform": "cloud", "kind": "heartbeat_silence", "count": 1},
    {"platform": "cloud", "kind": "reject_login", "count": 1},
    {"platform": "bolink", "kind": "reject_login", "count": 1},
    {"platform": "cloud", "kind": "silence", "count": 1},
    {"platform": "bolink", "kind": "silence", "count": 1},
]
MESSAGE = {"service_name": "lock_car", "order_id": "U1", "is_locked": 1, "lock_key": "1"}


QUICK = {"retry_first_ms": 50, "retry_longest_ms": 400, "request_timeout_ms": 700, "connect_timeout_ms": 2000}


def config(sandbox):
    """Everything in short time."""
    cloud = dict(QUICK, heartbeat_s=1, heartbeat_timeout_ms=500, login_pause_ms=100)
    return sandbox.config(local_id="unrest", cloud=cloud, bolink=QUICK)


def disturb(sandbox, program, seconds):
    """Faults, one after the other, and downlinks, until the time is over."""
    end = time.monotonic() + seconds
    for fault in itertools.cycle(FAULTS):
        if time.monotonic() > end or program.poll() is not None:
            break
        sandbox.ask("POST", "/faults", fault)
        for _ in range(4):
            sandbox.ask("POST", "/downlink", {"link": "cloud", "message": MESSAGE})
            time.sleep(0.1)
        sandbox.ask("DELETE", "/faults")
        time.sleep(0.3)
    sandbox.ask("DELETE", "/faults")


def run(folder, seconds, with_valgrind):
    """What the program said, and its exit status."""
    program = ccode.compile_one(folder, os.path.join(sandboxed.ROOT, "tests/c/unrest.c"), "c11")
    with sandboxed.running(folder, "--quiet") as sandbox:
        # Between two opens there must be time for a login; under valgrind that takes a while.
        reopen_ms = 15000 if seconds >= 120 else 6000 if with_valgrind else 1500
        command = [program, config(sandbox), str(seconds), str(reopen_ms)]
        if with_valgrind:
            command = ccode.VALGRIND + command
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 env=sandbox.environment())
        try:
            disturb(sandbox, child, seconds)
            # It reads one line once its own time is over, and then wants everything to work.
            said, _ = child.communicate(b"\n", timeout=180)
        except BaseException:
            child.kill()
            child.wait()
            raise
        return child.returncode, said.decode("utf-8", "replace")


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    if len(words) != 2:
        sys.exit(__doc__)
    code, said = run(words[0], int(words[1]), "--valgrind" in sys.argv)
    print(said, end="")
    return code


if __name__ == "__main__":
    sys.exit(main())
