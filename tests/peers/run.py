"""Runs every suite of this folder, each test class in its own process, a few at a time; one closing line.

    PARKLINK_LIB=target/debug/libparklink.so PARKLINK_SANDBOX=target/debug/parklink-sandbox python3 tests/peers/run.py [word ...]

With words, only the classes whose name (module.Class) holds one of them.
"""
import os
import subprocess
import sys
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
PROCESSES = 6
LIMIT = 60  # seconds a class may take


def classes():
    def walk(suite):
        for item in suite:
            if isinstance(item, unittest.TestSuite):
                for inner in walk(item):
                    yield inner
            else:
                yield item
    counts = {}
    for test in walk(unittest.defaultTestLoader.discover(HERE)):
        if type(test).__name__ == "_FailedTest":
            raise SystemExit("cannot be loaded: %s" % test)
        name = "%s.%s" % (type(test).__module__, type(test).__name__)
        counts[name] = counts.get(name, 0) + 1
    return counts


def run(name):
    command = [sys.executable, "-m", "unittest", "-v", name]
    try:
        done = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT)
        return name, done.returncode, done.stdout.decode("utf-8", "replace")
    except subprocess.TimeoutExpired as e:
        return name, -1, (e.stdout or b"").decode("utf-8", "replace") + "\nstopped after %d s\n" % LIMIT


def main():
    start = time.monotonic()
    for variable in ("PARKLINK_LIB", "PARKLINK_SANDBOX"):
        if os.environ.get(variable):
            os.environ[variable] = os.path.abspath(os.environ[variable])
    sys.path.insert(0, HERE)
    counts = classes()
    words = sys.argv[1:]
    chosen = [n for n in counts if not words or any(w in n for w in words)]
    bad, skipped, failed_tests = [], 0, 0
    with ThreadPoolExecutor(PROCESSES) as pool:
        for name, code, output in pool.map(run, sorted(chosen, key=lambda n: -counts[n])):
            last = output.strip().splitlines()[-1] if output.strip() else ""
            if "skipped=" in last:
                skipped += 1
            if code != 0:
                bad.append(name)
                failed_tests += sum(1 for line in output.splitlines() if line.startswith(("FAIL: ", "ERROR: ")))
                print("---- %s\n%s" % (name, output))
    total = sum(counts[n] for n in chosen)
    print("peers: %d classes, %d tests, %d failed, %d classes failed, %d skipped, %.0f s" % (
        len(chosen), total, failed_tests, len(bad), skipped, time.monotonic() - start))
    return 1 if bad or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
