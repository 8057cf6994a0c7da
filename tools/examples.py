"""The programs of examples-c/: how each is called, and what has to happen beside it."""
import contextlib
import os
import subprocess
import threading
import urllib.error

import ccode
import sandboxed

FOLDER = os.path.join(sandboxed.ROOT, "examples-c")
LOCK = {"link": "cloud", "message": {"service_name": "lock_car", "order_id": "A1", "is_locked": 1, "lock_key": "1"}}

# The words each is called with; an example that is not here has no test yet, and that is an error.
WORDS = {
    "lot_day": lambda sandbox: [sandbox.ready],
    "legacy_day": lambda sandbox: [sandbox.ready],
    "vendor_day": lambda sandbox: [sandbox.ready],
    "merchant_day": lambda sandbox: [sandbox.ready],
    "minimal": lambda sandbox: [sandbox.config()],
    "poll": lambda sandbox: [sandbox.config(), "3"],
    "outage": lambda sandbox: [sandbox.config(store={"dir": sandbox.scratch}), "1", "5"],
}
# Seconds after which an example is stuck.
STUCK = 240
# Those that want to be asked something by the platforms.
ASKED = ["poll"]


def names():
    """Every example there is."""
    return sorted(file[:-2] for file in os.listdir(FOLDER) if file.endswith(".c"))


@contextlib.contextmanager
def asking(sandbox):
    """A downlink every now and then, whether somebody is connected or not."""
    over = threading.Event()

    def ask():
        while not over.wait(0.2):
            with contextlib.suppress(urllib.error.URLError):
                sandbox.ask("POST", "/downlink", LOCK)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def started(folder, name, language, before=()):
    """The example as a running process with its sandbox; both are ended in any case."""
    if name not in WORDS:
        raise RuntimeError("tools/examples.py does not know how %s is called" % name)
    program = ccode.compile_one(folder, os.path.join(FOLDER, name + ".c"), language)
    with sandboxed.running(folder) as sandbox:
        child = subprocess.Popen(list(before) + [program] + WORDS[name](sandbox), env=sandbox.environment(),
                                 cwd=sandbox.scratch, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
        watchdog = threading.Timer(STUCK, child.kill)
        watchdog.start()
        try:
            with asking(sandbox) if name in ASKED else contextlib.nullcontext():
                yield child, sandbox
        finally:
            watchdog.cancel()
            if child.poll() is None:
                child.kill()
            child.wait()


def run(folder, name, language, before=()):
    """Runs one to its end; raises when it was no success."""
    with started(folder, name, language, before) as (child, sandbox):
        said, _ = child.communicate()
        if child.returncode != 0:
            raise RuntimeError("exit status %d\n%s\n--- the sandbox:\n%s" % (
                child.returncode, said.decode("utf-8", "replace"), sandbox.said()[-4000:]))
