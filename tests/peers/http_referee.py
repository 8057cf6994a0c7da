"""An HTTP server on 127.0.0.1, on bare sockets, that watches its client: what the referees of the open API and of ETCP
share. A subclass says what it sees (`look`) and what it answers (`process`)."""
import collections
import socket
import threading
import time

from bolink_server import Job
from http_conn import HttpConn, read_request

Violation = collections.namedtuple("Violation", "rule detail at")


class HttpReferee(object):
    def __init__(self):
        self.received, self.violations, self.conns, self.plans = [], [], [], []
        self.not_before = {}
        self.excused = False
        self.lock = threading.RLock()
        self.news = threading.Condition(self.lock)
        self.stopping = False
        self.listener, self.port = None, 0

    def look(self, request):
        """Judge a request; set its name, doc and data."""
        raise NotImplementedError

    def process(self, request):
        """(status, text of the answer); the server's state changes here."""
        raise NotImplementedError

    def start(self, port=0):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()
        return self

    @property
    def base(self):
        return "http://127.0.0.1:%d" % self.port

    def refuse_connections(self):
        if self.listener:
            try:
                self.listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.listener.close()
            self.listener = None

    def stop(self):
        self.stopping = True
        self.refuse_connections()
        for conn in list(self.conns):
            conn.close()

    # -- for tests
    def plan(self, match, step, times=1):
        """match: the name of a call, or a function of the request. The steps are those of bolink_faults."""
        with self.lock:
            self.plans.append([match, step, times])

    def wait(self, condition, timeout=5.0):
        end = time.monotonic() + timeout
        with self.news:
            while True:
                value = condition()
                left = end - time.monotonic()
                if value or left <= 0:
                    return value
                self.news.wait(min(left, 0.1))

    def requests(self, name=None):
        with self.lock:
            return [r for r in self.received if name is None or r.name == name]

    def last(self, name):
        return self.requests(name)[-1]

    def violation(self, rule, detail=""):
        with self.lock:
            self.violations.append(Violation(rule, str(detail)[:400], time.monotonic()))

    def broken_rules(self):
        with self.lock:
            return [v.rule for v in self.violations]

    def check(self, allowed=()):
        with self.lock:
            bad = [v for v in self.violations if v.rule not in allowed]
        if bad:
            raise AssertionError("the client broke: " + "; ".join("%s (%s)" % (v.rule, v.detail) for v in bad))

    def poll_answered(self, request):
        """What the steps of bolink_faults tell a server with long polls."""

    # -- network
    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                conn = HttpConn(sock, len(self.conns))
                self.conns.append(conn)
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        try:
            while conn.open and not self.stopping:
                request = read_request(conn)
                if request is None:
                    break
                self._handle(request)
        except ValueError as e:
            if conn.open and not self.stopping:
                self.violation("not_http", e)
        except OSError:
            pass
        finally:
            if conn.open:
                conn.close()

    def _handle(self, request):
        with self.lock:
            if "host" not in request.headers:
                self.violation("no_host")
            self.look(request)
            self.received.append(request)
            step = None
            for entry in self.plans:
                match, planned, times = entry
                if times > 0 and (match == request.name if isinstance(match, str) else match(request)):
                    entry[2] -= 1
                    step = planned
                    break
            self.news.notify_all()
        job = Job(self, request)
        if step:
            step(job)
        else:
            job.answer()
        with self.lock:
            self.news.notify_all()
        if request.headers.get("connection", "").lower() == "close":
            request.conn.close()
