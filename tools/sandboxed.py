#!/usr/bin/env python3
"""The sandbox while something runs against it.

    tools/sandboxed.py FOLDER COMMAND ...

starts FOLDER/parklink-sandbox on ports that the kernel picks, runs COMMAND with the addresses in its environment
(PARKLINK_CLOUD host:port, PARKLINK_BOLINK, PARKLINK_UNION, PARKLINK_ETCP, PARKLINK_CONTROL URLs) and the folder's
library first, and always stops the sandbox. Exit status: the command's.
"""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Sandbox:
    """A sandbox that runs, with its addresses."""

    def __init__(self, folder, flags=()):
        self.folder = os.path.abspath(folder)
        self.scratch = tempfile.mkdtemp(prefix="parklink-sandbox-")
        self.ready = os.path.join(self.scratch, "ready.json")
        self.log_path = os.path.join(self.scratch, "log")
        self.log = open(self.log_path, "wb")
        program = os.path.join(self.folder, "parklink-sandbox")
        # The others follow.
        ports = ["--control-port", "0", "--ready-file", self.ready]
        self.process = subprocess.Popen([program] + ports + list(flags), stdout=self.log, stderr=subprocess.STDOUT)
        try:
            addresses = self._addresses()
        except BaseException:
            self.stop()
            raise
        names = ("cloud", "bolink", "union", "etcp", "control")
        self.cloud, self.bolink, self.union, self.etcp, self.control = (addresses[name] for name in names)

    def _addresses(self):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError("the sandbox ended at once: " + self.said())
            try:
                with open(self.ready, encoding="utf-8") as file:
                    return json.load(file)
            except (OSError, ValueError):
                time.sleep(0.02)
        raise RuntimeError("the sandbox was not ready in 20 s: " + self.said())

    def said(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def ask(self, method, path, body=None):
        """The control API: the parsed answer."""
        text = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8")
        request = urllib.request.Request(self.control + path, text, {"Content-Type": "application/json"}, method=method)
        # No proxy of the environment comes between.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=20) as answer:
            return json.loads(answer.read().decode("utf-8"))

    def config(self, **more):
        """A configuration for the lot that the sandbox knows, on both platforms."""
        host, port = self.cloud.rsplit(":", 1)
        lot = {"park_id": "21782", "ckey": "WERRTTTTYY", "union_id": "200208", "ukey": "8403A41ED5EF20BC",
               "local_id": "gate1", "cloud_addr": host, "cport": int(port), "bolink_addr": self.bolink + "/bpd",
               "http": {"proxy": ""}}
        return json.dumps(dict(lot, **more))

    def environment(self):
        library = os.pathsep.join(filter(None, [self.folder, os.environ.get("LD_LIBRARY_PATH")]))
        return dict(os.environ, LD_LIBRARY_PATH=library, PARKLINK_CLOUD=self.cloud, PARKLINK_BOLINK=self.bolink,
                    PARKLINK_UNION=self.union, PARKLINK_ETCP=self.etcp, PARKLINK_CONTROL=self.control, PARKLINK_READY=self.ready)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        shutil.rmtree(self.scratch, ignore_errors=True)


@contextlib.contextmanager
def running(folder, *flags):
    sandbox = Sandbox(folder, flags)
    try:
        yield sandbox
    finally:
        sandbox.stop()


def ended(signal_number, _):
    """Makes the wish to end an exception, so that the sandbox is stopped on the way out."""
    sys.exit(128 + signal_number)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    signal.signal(signal.SIGTERM, ended)
    signal.signal(signal.SIGHUP, ended)
    with running(sys.argv[1]) as sandbox:
        try:
            return subprocess.call(sys.argv[2:], env=sandbox.environment())
        except KeyboardInterrupt:
            return 130


if __name__ == "__main__":
    sys.exit(main())
