"""The chapter of the demo on outages: the network is cut, the program killed, and nothing is lost."""
import json
import os
import select
import signal
import socket
import subprocess
import threading

import ccode
import examples
import sandboxed

CARS = 45


class Wire:
    """A wire between the program and the platform that can be cut: between an answer and the next question. What becomes of
    a record whose answer is lost is told in docs/durability.md; it may rightly stand there twice."""

    def __init__(self, to):
        host, port = to.rsplit(":", 1)
        self.to = (host, int(port))
        self.is_cut = False
        self.pairs = []
        self.is_asked = False
        # Held while something is carried or cut.
        self.turn = threading.Condition()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if self.is_cut:
                near.close()
                continue
            far = socket.create_connection(self.to)
            self.pairs.append((near, far))
            threading.Thread(target=self._carry, args=(near, far), daemon=True).start()

    def _carry(self, near, far):
        other = {near: far, far: near}
        try:
            while True:
                for end in select.select([near, far], [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    with self.turn:
                        self.is_asked = end is near
                        other[end].sendall(data)
                        self.turn.notify_all()
        except (OSError, ValueError):
            pass
        finally:
            near.close()
            far.close()

    def cut(self):
        with self.turn:
            self.turn.wait_for(lambda: not self.is_asked, 5)
            self.is_cut = True
            for pair in self.pairs:
                for end in pair:
                    try:
                        end.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass
            self.pairs = []

    def mend(self):
        self.is_cut = False

    def close(self):
        self.cut()
        self.listener.close()


class Steps:
    """One line a step."""

    def __init__(self):
        self.count = self.good = 0

    def step(self, is_good, what, came):
        self.count += 1
        self.good += bool(is_good)
        print("%2d %-4s | %s | %s" % (self.count, "ok" if is_good else "BAD", what, came), flush=True)


def chapter(folder):
    """Steps and good ones."""
    steps = Steps()
    program = ccode.compile_one(folder, os.path.join(examples.FOLDER, "outage.c"), "c11")
    with sandboxed.running(folder) as sandbox:
        wire = Wire(sandbox.cloud)
        try:
            play(steps, program, sandbox, wire)
        finally:
            wire.close()
    return steps.count, steps.good


def play(steps, program, sandbox, wire):
    config = json.loads(sandbox.config())
    for name in ("bolink_addr", "bport", "union_id", "ukey"):
        config.pop(name, None)
    config.update(cloud_addr="127.0.0.1", cport=wire.port, store={"dir": os.path.join(sandbox.scratch, "store")})
    config.setdefault("cloud", {}).update(retry_first_ms=200, retry_longest_ms=1000)
    stored = []

    def start(first):
        words = [program, json.dumps(config), str(first), str(CARS)]
        return subprocess.Popen(words, env=sandbox.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def until(child, number):
        for line in child.stdout:
            words = line.decode().split()
            if words[:1] == ["stored"]:
                stored.append(int(words[1]))
                if stored[-1] >= number:
                    return True
            else:
                print(line.decode().rstrip())
        return False

    child = start(1)
    steps.step(until(child, CARS // 5), "cars come and go, the network is there", "%d cars stored" % len(stored))
    wire.cut()
    steps.step(until(child, CARS // 2), "the network is cut", "%d cars stored all the same" % len(stored))
    child.send_signal(signal.SIGKILL)
    child.wait()
    # What it had said before it died counts; it may have stored one more that it could not tell of.
    until(child, CARS + 1)
    steps.step(child.returncode == -signal.SIGKILL, "the program is killed with -9", "exit status %d" % child.returncode)
    child = start(stored[-1] + 1)
    steps.step(until(child, CARS) and child.wait(30) == 0, "it starts again, still no network", "%d cars stored" % len(stored))
    wire.mend()
    child = start(0)
    said = child.communicate(timeout=90)[0].decode().strip()
    steps.step(child.returncode == 0, "the network is back", said)
    table(steps, sandbox, stored)


def table(steps, sandbox, stored):
    """What the platform has seen, from outside."""
    records = sandbox.ask("GET", "/state")["cloud"]["records"]["21782"]
    print("     service    stored  received  taken  duplicates  lost")
    for service in ("in_park", "out_park"):
        seen = records.get(service, {})
        of = [seen.get("outage_%d" % car, {"received": 0, "accepted": 0}) for car in stored]
        received, taken = sum(one["received"] for one in of), sum(one["accepted"] for one in of)
        lost = sum(one["accepted"] == 0 for one in of)
        twice = sum(max(one["accepted"] - 1, 0) for one in of)
        print("     %-9s %7d %9d %6d %11d %5d" % (service, len(stored), received, taken, twice, lost))
        steps.step(lost == 0 and twice == 0, "every %s that was stored" % service, "arrived once, %d of %d" % (taken, len(stored)))
