"""A parking cloud on 127.0.0.1, written from the document alone, and a strict referee of whoever talks to it.

    with CloudServer() as cloud:                    # steps: cloud_faults
        cloud.plan("in_park", late(0.5))            # the next in_park is answered late
        cloud.plan("login", refuse_login("not_stored"))
        ... let the client work on 127.0.0.1:cloud.port ...
        cloud.check()                                # AssertionError with every rule that was broken

`received` holds every line with its bytes, time and parsed form; `stored` what the lot's record would hold; `violations`
every rule the client broke. test_self checks it with a bare client.
"""
import collections
import threading
import time

import cloud_facts as facts
from cloud_model import Model
from cloud_parts import CLOSE, Conn, Job, Lot, Request
from cloud_referee import Referee
from peer_server import PeerServer


class CloudServer(Referee, Model, PeerServer):
    def __init__(self, lots=None, max_line=1024, old_guard=False, noise=False, over_times=True):
        PeerServer.__init__(self)
        self.lots = lots or [Lot()]
        self.max_line, self.old_guard, self.noise, self.over_times = max_line, old_guard, noise, over_times
        self.answer_heartbeats = True
        self.patience = float("inf")  # how long a request must stay unanswered before the next one may follow
        self.beat_within = None       # seconds within which every logged-in connection must send a heartbeat
        self.sent_downlinks, self.held = [], []
        self.tokens, self.rows, self.slots = {}, {}, {}
        self.known = collections.defaultdict(set)
        self.guard = collections.OrderedDict()
        self.unstored = set()
        self.orders = collections.defaultdict(list)
        self.last_healthy = {}

    # -- for tests
    def requests(self, name=None):
        """The lines received for a service (None: all but heartbeats)."""
        with self.lock:
            return [r for r in self.received if r.kind != "heartbeat" and (name is None or r.name == name)]

    def heartbeats(self):
        with self.lock:
            return [r for r in self.received if r.kind == "heartbeat"]

    def logins(self):
        return self.requests("login")

    def live(self):
        """The connections that are open."""
        with self.lock:
            return [c for c in self.conns if c.closed_by is None]

    def row(self, local_id=None):
        """The newest login row (of this local_id)."""
        with self.lock:
            rows = [r for r in self.rows.values() if local_id is None or r.local_id == local_id]
            return max(rows, key=lambda r: r.at) if rows else None

    def kill_tokens(self, conn=None):
        """Every token (of a connection) is unknown from now on."""
        with self.lock:
            for token, row in list(self.tokens.items()):
                if conn is None or row.conn is conn:
                    del self.tokens[token]
                    row.conn.excused = True

    def release(self, index=0):
        """Answer a held request."""
        self.held.pop(index).answer()

    def downlink(self, name, members, local_id=None, wrapped=None):
        """Send a downlink to the newest login row (of this local_id); False if there is none."""
        wrapped = name in facts.WRAPPED if wrapped is None else wrapped
        row = self.row(local_id)
        if row is None:
            return False
        with self.lock:
            self.sent_downlinks.append((name, dict(members), time.monotonic()))
            conn = self.slots.get((row.lot.park_id, row.local_id), row.conn)
        conn.send({"service_name": name, "data": members} if wrapped else dict(members, service_name=name))
        return True

    def schedule(self, name, members, every=0.3, rounds=20):
        """A scheduled downlink: repeated until it is answered with state 1 and the right key."""
        done = threading.Event()

        def job():
            for _ in range(rounds):
                if self.stopping:
                    return
                self.downlink(name, members)
                if self.wait(lambda: self._acknowledged(name, members), every):
                    done.set()
                    return
        threading.Thread(target=job, daemon=True).start()
        return done

    def _acknowledged(self, name, members):
        return any(a.name == name and a.data.get("state") in (1, "1")
                   and all(a.data.get(k) == members.get(k) for k in facts.ANSWER_KEYS[name]) for a in self.answers)

    # -- network
    def connected(self, sock, number):
        return Conn(self, sock, number)

    def serve(self, conn):
        buffer = b""
        while True:
            try:
                piece = conn.sock.recv(65536)
            except OSError:
                piece = b""
            if not piece:
                break
            buffer += piece
            while b"\n" in buffer:
                line, buffer = buffer.split(b"\n", 1)
                if line.endswith(b"\r"):
                    line = line[:-1]
                self._line(conn, line)
        if buffer and conn.closed_by is None:
            self.violation("unfinished_line", buffer[:100])
        self._gone(conn)

    def _gone(self, conn):
        with self.lock:
            if conn.closed_by is None:
                conn.closed_by = "client"
            for row in conn.rows[-1:]:  # one row only, and only if it is still this connection's
                if row.conn is conn:
                    self.tokens.pop(row.token, None)
                    if self.rows.get((row.lot.park_id, row.local_id)) is row:
                        del self.rows[(row.lot.park_id, row.local_id)]
            for key in list(conn.slots):
                if self.slots.get(key) is conn:
                    del self.slots[key]
            self.news.notify_all()
        try:
            conn.sock.close()
        except OSError:
            pass

    # -- the referee, then the answer
    def _line(self, conn, raw):
        request = Request(conn, raw)
        with self.lock:
            self.received.append(request)
            if len(raw) > self.max_line:
                self.violation("line_too_long", "%d bytes" % len(raw))
                return
            if "0x11" in request.line and len(request.line) < 6:
                self._heartbeat(request)
                self.news.notify_all()
                return
            self._look(request)
            plan = self.planned(request)
            self.news.notify_all()
        job = Job(self, request)
        if plan:
            threading.Thread(target=plan, args=(job,), daemon=True).start()
        else:
            job.answer()

    def settle(self, request):
        with self.lock:
            conn = request.conn
            if conn.under_way is request:
                conn.under_way = None
            if request.accepted:
                conn.logged_in = True

    def deliver(self, conn, request, replies):
        """Send what process() returned."""
        if replies == []:
            conn.excused = True
        for members in replies:
            if members is CLOSE:
                conn.excused = True
                conn.close()
                return
            self.settle(request)
            if self.noise:
                conn.send("")
            conn.send(members)
