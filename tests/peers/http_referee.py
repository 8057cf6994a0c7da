"""An HTTP server on 127.0.0.1, on bare sockets, that watches its client: what the referees of Bolink, of the open API and
of ETCP share. A subclass says what it sees (`look`) and what it answers (`process`). Steps of plans: bolink_faults."""
import peer_server
from http_conn import HttpConn, read_request
from peer_server import PeerServer


class Job(peer_server.Job):
    def answer(self):
        status, text = self.process()
        self.respond(status, text)

    def head(self, status, headers):
        reason = {200: "OK", 500: "Internal Server Error", 503: "Service Unavailable"}.get(status, "Status")
        lines = ["HTTP/1.1 %d %s" % (status, reason)] + ["%s: %s" % h for h in headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def respond(self, status, text, headers=()):
        body = text.encode("utf-8") if isinstance(text, str) else text
        fixed = [("Content-Type", "application/json;charset=utf-8"), ("Content-Length", len(body))]
        self.server.poll_answered(self.request)
        self.conn.send(self.head(status, fixed + list(headers)) + body)


class HttpReferee(PeerServer):
    def __init__(self):
        PeerServer.__init__(self)
        self.not_before = {}
        self.excused = False

    def look(self, request):
        """Judge a request; set its name, doc and data."""
        raise NotImplementedError

    def process(self, request):
        """(status, text of the answer); the server's state changes here."""
        raise NotImplementedError

    def poll_answered(self, request):
        """What the steps tell a server with long polls."""

    def ended(self, conn):
        """A connection has ended; with the lock held."""

    @property
    def base(self):
        return "http://127.0.0.1:%d" % self.port

    # -- for tests
    def requests(self, name=None):
        with self.lock:
            return [r for r in self.received if name is None or r.name == name]

    def last(self, name):
        return self.requests(name)[-1]

    # -- network
    def connected(self, sock, number):
        return HttpConn(sock, number)

    def serve(self, conn):
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
            with self.news:
                self.ended(conn)
                self.news.notify_all()
            if conn.open:
                conn.close()

    def _handle(self, request):
        with self.news:
            if "host" not in request.headers:
                self.violation("no_host")
            self.look(request)
            self.received.append(request)
            step = self.planned(request)
            self.news.notify_all()
        job = Job(self, request)
        if step:
            step(job)
        else:
            job.answer()
        self.poll_answered(request)
        self.changed()
        if request.headers.get("connection", "").lower() == "close":
            request.conn.close()
