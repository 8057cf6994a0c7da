"""Starts the sandbox program (PARKLINK_SANDBOX names it) on ports the kernel picks."""
import http.client
import json
import os
import shutil
import subprocess
import tempfile
import time


def sandbox_path():
    return os.environ.get("PARKLINK_SANDBOX", "")


def newer_ports():
    """The platforms that came later, where this sandbox has them."""
    told = subprocess.run([sandbox_path(), "--help"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
    return tuple(name for name in ("union", "etcp") if b"--%s-port" % name.encode() in told)


class Sandbox(object):
    def __init__(self, *flags):
        self.folder = tempfile.mkdtemp(prefix="parklink-sandbox-")
        ready = os.path.join(self.folder, "ready.json")
        self.log = open(os.path.join(self.folder, "log"), "wb+")
        ports = [flag for name in ("cloud", "bolink", "control") + newer_ports() for flag in ("--%s-port" % name, "0")]
        self.process = subprocess.Popen(
            [sandbox_path()] + ports + ["--ready-file", ready] + list(flags), stdout=self.log, stderr=subprocess.STDOUT, cwd=self.folder)
        end = time.monotonic() + 10
        while True:
            if self.process.poll() is not None:
                raise RuntimeError("the sandbox ended with %s: %s" % (self.process.returncode, self.output()))
            try:
                with open(ready, encoding="utf-8") as f:
                    addresses = json.load(f)
                break
            except (OSError, ValueError):
                if time.monotonic() > end:
                    self.stop()
                    raise RuntimeError("the sandbox was not ready in 10 s")
                time.sleep(0.02)
        self.cloud, self.bolink, self.control = (addresses[k] for k in ("cloud", "bolink", "control"))
        self.union, self.etcp = addresses.get("union"), addresses.get("etcp")

    def output(self):
        self.log.flush()
        with open(self.log.name, encoding="utf-8", errors="replace") as f:
            return f.read()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, method, path, body=None):
        """(status, parsed answer) of the control API."""
        address = self.control.replace("http://", "").rstrip("/")
        connection = http.client.HTTPConnection(address, timeout=20)
        try:
            text = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8")
            connection.request(method, path, text, {"Content-Type": "application/json"} if text else {})
            answer = connection.getresponse()
            raw = answer.read().decode("utf-8")
            try:
                return answer.status, json.loads(raw)
            except ValueError:
                return answer.status, raw
        finally:
            connection.close()
