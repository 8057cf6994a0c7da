"""What the cloud server, its referee and its model are made of."""
import collections
import socket
import threading
import time
import uuid

import peer_server

CLOSE = object()


def dump(members):
    """A frame's text."""
    return peer_server.dump(members, (",", ":"))


class Lot(object):
    def __init__(self, park_id="21782", key="WERRTTTTYY", cloud_id="1197"):
        self.park_id, self.key, self.cloud_id = str(park_id), key, str(cloud_id)


class Row(object):
    """A login row: one (lot, local_id)."""

    def __init__(self, lot, local_id, conn, receive_cloud):
        self.lot, self.local_id, self.conn, self.receive_cloud = lot, local_id, conn, receive_cloud
        self.token = uuid.uuid4().hex
        self.at = time.monotonic()
        self.beat_at = None
        self.accepted = collections.deque(maxlen=100)


class Request(object):
    """One line from a client."""

    def __init__(self, conn, raw):
        self.conn, self.raw, self.at = conn, raw, time.monotonic()
        self.line = raw.decode("utf-8", "replace")
        self.kind = "junk"          # heartbeat, login, request, answer, junk
        self.wrapper = {}
        self.accepted = False       # a login that gave a token
        self.name = self.sign = self.token = self.data = self.data_text = None

    def __repr__(self):
        return "<%s %s %r>" % (self.kind, self.name, self.raw[:300])


class Conn(object):
    def __init__(self, server, sock, number):
        self.server, self.sock, self.number = server, sock, number
        self.opened_at = self.last_beat = time.monotonic()
        self.lock = threading.Lock()
        self.under_way = None
        self.rows = []
        self.slots = set()
        self.login_tried = self.logged_in = self.excused = False
        self.closed_by = None

    def send_bytes(self, data):
        try:
            with self.lock:
                self.sock.sendall(data)
        except OSError:
            pass

    def send(self, members):
        text = members if isinstance(members, str) else dump(members)
        self.send_bytes(b"\n" + text.encode("utf-8") + b"\r")

    def close(self, by="server", abruptly=False):
        if self.closed_by is None:
            self.closed_by = by
        try:
            if abruptly:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                self.sock.close()
            else:
                self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Job(peer_server.Job):
    def settle(self):
        """From here on the client may send its next request."""
        self.server.settle(self.request)

    def answer(self):
        """The usual answer."""
        self.server.deliver(self.conn, self.request, self.process())

    def frames(self):
        """The bytes of the usual answer."""
        return b"".join(b"\n" + (r if isinstance(r, str) else dump(r)).encode("utf-8") + b"\r"
                        for r in self.process() if r is not CLOSE)

    def excuse(self):
        """The client has a reason to log in again or to reconnect."""
        self.conn.excused = True


def error(text):
    return {"state": 0, "errmsg": text}


def is_number(text):
    try:
        float(text)
        return True
    except ValueError:
        return False


def blank(value):
    return value is None or (isinstance(value, str) and not value.strip())
