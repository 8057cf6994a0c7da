"""A server on 127.0.0.1 that notes what its client does: what the parking cloud and the HTTP platforms share. A subclass
makes a connection of a socket (`connected`) and reads from it (`serve`)."""
import collections
import json
import random
import socket
import threading
import time

Violation = collections.namedtuple("Violation", "rule detail at")


def dump(members, separators=None):
    """JSON text; members in no fixed order, as the real servers have it."""
    names = list(members)
    random.shuffle(names)
    return json.dumps({n: members[n] for n in names}, ensure_ascii=False, separators=separators)


class Job(object):
    """A request that a plan's step answers as it likes."""

    def __init__(self, server, request):
        self.server, self.request, self.conn = server, request, request.conn
        self.outcome = None

    def process(self):
        """Let the server do what it does with the request, without answering; its answer."""
        if self.outcome is None:
            self.outcome = self.server.process(self.request)
        return self.outcome


class PeerServer(object):
    def __init__(self):
        self.received, self.violations, self.conns, self.plans = [], [], [], []
        self.stored, self.answers = [], []
        self.lock = threading.RLock()
        self.news = threading.Condition(self.lock)
        self.stopping = False
        self.listener, self.port = None, 0

    def connected(self, sock, number):
        """The connection that this socket is."""
        raise NotImplementedError

    def serve(self, conn):
        """Read and answer until the connection ends."""
        raise NotImplementedError

    def look_at_times(self):
        """Judge what a client ought to have done by now."""

    # -- life
    def start(self, port=0):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()
        return self

    def stop(self):
        self.stopping = True
        self.refuse_connections()
        self.changed()
        for conn in list(self.conns):
            conn.close()

    def refuse_connections(self):
        """Nobody listens any more; what is connected stays."""
        if self.listener:
            try:
                self.listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.listener.close()
            self.listener = None

    def __enter__(self):
        return self if self.listener else self.start()

    def __exit__(self, *_):
        self.stop()

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.news:
                conn = self.connected(sock, len(self.conns))
                self.conns.append(conn)
                self.news.notify_all()
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    # -- for tests
    def plan(self, match, step, times=1):
        """The next `times` requests of this name (or for which match(request) holds) get `step`."""
        with self.lock:
            self.plans.append([match, step, times])

    def wait(self, condition, timeout=5.0):
        """Wait until condition() is true; its last value."""
        end = time.monotonic() + timeout
        with self.news:
            while True:
                value = condition()
                left = end - time.monotonic()
                if value or left <= 0:
                    return value
                self.news.wait(min(left, 0.1))

    def changed(self):
        with self.news:
            self.news.notify_all()

    def stored_data(self, name):
        with self.lock:
            return [d for n, d in self.stored if n == name]

    # -- the referee
    def violation(self, rule, detail=""):
        with self.news:
            self.violations.append(Violation(rule, str(detail)[:400], time.monotonic()))
            self.news.notify_all()

    def broken_rules(self):
        self.look_at_times()
        with self.lock:
            return [v.rule for v in self.violations]

    def check(self, allowed=()):
        """Raise if the client broke a rule."""
        self.look_at_times()
        with self.lock:
            bad = [v for v in self.violations if v.rule not in allowed]
        if bad:
            raise AssertionError("the client broke: " + "; ".join("%s (%s)" % (v.rule, v.detail) for v in bad))

    def name_of(self, request):
        """What a plan calls this request."""
        return request.name

    def planned(self, request):
        """The step that a plan has for this request, which uses it up."""
        for plan in self.plans:
            match, step, times = plan
            if times > 0 and (match == self.name_of(request) if isinstance(match, str) else match(request)):
                plan[2] -= 1
                return step
        return None
