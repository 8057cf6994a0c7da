#!/usr/bin/env python3
"""Every test there is: `make test`. Closes with a line "N passed, N failed".

    tools/test.py FOLDER [--long] [WORD ...]

FOLDER gets the development build. With words, only the steps whose name holds one of them: rust, programs, memory, peers, or
durable, a part of rust.
"""
import os
import re
import shutil
import subprocess
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import ccode
import examples
import readme
import sandboxed
import unrest

ROOT = sandboxed.ROOT
CARGO = os.path.join(ROOT, "tools/cargo")


def shown(command, environment=None):
    """Runs a command, shows what it says, gives its exit status and its words."""
    child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, env=dict(os.environ, **(environment or {})))
    words = []
    for line in child.stdout:
        line = line.decode("utf-8", "replace")
        words.append(line)
        print(line, end="", flush=True)
    return child.wait(), "".join(words)


def sums(pattern, text):
    """The sums of the pattern's groups over all its places."""
    places = re.findall(pattern, text)
    return [sum(int(number) for number in column) for column in zip(*places)]


# The long forms of the Rust tests: cases of the property tests, kills, power cuts, and all that takes its time. Whoever
# sets one of them has it so.
LONG = {name: os.environ.get(name, value) for name, value in (
    ("PROPTEST_CASES", "20000"), ("RIG_CYCLES", "2000"), ("RIG_CUTS", "1000"), ("RIG_LONG", "1"))}


def cargo_tests(environment, words, shows=()):
    """Runs Rust tests; cargo-nextest if it is there, several at a time. Gives how many passed and failed."""
    if shutil.which("cargo-nextest"):
        code, said = shown([CARGO, "nextest", "run", "--no-fail-fast"] + words + list(shows), environment)
        counts = re.findall(r"tests? run: (\d+) passed(?:[^\n]*?, (\d+) failed)?", said)
        passed, failed = (int(number or 0) for number in counts[-1]) if counts else (0, 0)
    else:
        code, said = shown([CARGO, "test", "--no-fail-fast"] + words + (["--", "--nocapture"] if shows else []), environment)
        passed, failed = sums(r"test result: .*?(\d+) passed; (\d+) failed", said) or (0, 0)
    return passed, max(failed, 1) if code or not passed else failed


def rust(_, long):
    """The Rust tests, the C interface's among them."""
    return cargo_tests(LONG if long else {}, ["--workspace"])


def durable(_, long):
    """Nothing lost, nothing charged twice: kills, power cuts, torture, order, backlog, with their figures."""
    return cargo_tests(LONG if long else {}, ["-p", "parklink", "--test", "durable"], ["--success-output", "final"])


def peers(folder, _):
    """The library and the sandbox against servers and clients that know only the documents."""
    code, said = shown([sys.executable, "tests/peers/run.py"],
                       {"PARKLINK_LIB": os.path.join(folder, "libparklink.so"),
                        "PARKLINK_SANDBOX": os.path.join(folder, "parklink-sandbox")})
    counts = re.findall(r"^peers: \d+ classes, (\d+) tests, (\d+) failed", said, re.M)
    total, failed = (int(number) for number in counts[-1]) if counts else (0, 1)
    failed = max(failed, 1) if code else failed
    return max(total - failed, 0), failed


def each(tests, at_a_time):
    """Runs (name, function) pairs; a function that raises has failed."""
    def one(pair):
        name, test = pair
        begun = time.monotonic()
        try:
            test()
            print("ok   %s (%.1f s)" % (name, time.monotonic() - begun), flush=True)
            return True
        except Exception as error:
            print("FAIL %s: %s" % (name, error), flush=True)
            return False

    with ThreadPoolExecutor(at_a_time) as pool:
        good = list(pool.map(one, tests))
    return good.count(True), good.count(False)


def programs(folder, _):
    """Each example in each language, run against the sandbox; the README's program too."""
    tests = [("%s as %s" % (name, language), lambda name=name, language=language: examples.run(folder, name, language))
             for name in examples.names() for language in ccode.LANGUAGES]
    tests += [("README's program as " + language, lambda language=language: readme.run(folder, language))
              for language in ccode.LANGUAGES]
    # They mostly wait.
    return each(tests, 4)


def troubled(folder, seconds, with_valgrind):
    code, said = unrest.run(folder, seconds, with_valgrind)
    if code != 0 or not said.endswith("ok unrest\n"):
        raise RuntimeError("exit status %d\n%s" % (code, said))


def memory(folder, long):
    """Nothing lost and nothing read or written where it must not be: the lot's day, broken connections, refusals."""
    tests = [("valgrind: " + name, lambda name=name: examples.run(folder, name, "c11", ccode.VALGRIND))
             for name in examples.names()]
    tests.append(("valgrind: unrest", lambda: troubled(folder, 300 if long else 25, True)))
    tests.append(("unrest", lambda: troubled(folder, 900 if long else 10, False)))
    # valgrind computes all the time, and what it slows down too much times out.
    return each(tests, 2)


STEPS = [("rust", rust), ("programs", programs), ("memory", memory), ("peers", peers)]
# A part of a step, for whoever asks for it.
PARTS = [("durable", durable)]


def main():
    os.chdir(ROOT)
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    if not words:
        sys.exit(__doc__)
    folder, only = os.path.abspath(words[0]), words[1:]
    long = "--long" in sys.argv
    # Nobody's settings lead the tests elsewhere.
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        os.environ.pop(name, None)
    os.environ.setdefault("CARGO_TERM_COLOR", "never")
    subprocess.run([os.path.join(ROOT, "tools/stage.sh"), "dev", folder], check=True)
    passed = failed = 0
    for name, step in STEPS + (PARTS if only else []):
        if only and not any(word in name for word in only):
            continue
        begun = time.monotonic()
        print("== %s: %s" % (name, step.__doc__.splitlines()[0]), flush=True)
        try:
            good, bad = step(folder, long)
        except Exception:
            # A step that cannot be run has not passed.
            traceback.print_exc()
            good, bad = 0, 1
        passed, failed = passed + good, failed + bad
        print("== %s: %d passed, %d failed, %.0f s" % (name, good, bad, time.monotonic() - begun), flush=True)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
