"""HTTP/1.1 on a bare socket, the server's side: connections and requests."""
import select
import socket
import time


class HttpRequest(object):
    def __init__(self, conn, method, path, headers, body):
        self.conn, self.method, self.path, self.headers, self.body = conn, method, path, headers, body
        self.at = time.monotonic()
        self.number = conn.requests          # 1 for the first request of a connection
        self.text = body.decode("utf-8", "replace")
        self.doc, self.data, self.data_text = {}, None, None
        self.name = self.sign = self.token = None

    def __repr__(self):
        return "<%s %s %r>" % (self.method, self.path, self.body[:300])


class HttpConn(object):
    def __init__(self, sock, number):
        self.sock, self.number, self.requests, self.buffer, self.open = sock, number, 0, b"", True

    def send(self, data):
        try:
            self.sock.sendall(data)
            return True
        except OSError:
            return False

    def gone(self):
        """Whether the client has hung up."""
        try:
            ready, _, _ = select.select([self.sock], [], [], 0)
            return bool(ready) and self.sock.recv(1, socket.MSG_PEEK) == b""
        except (OSError, ValueError):
            return True

    def close(self):
        self.open = False
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


def _fill(conn):
    piece = conn.sock.recv(65536)
    conn.buffer += piece
    return bool(piece)


def read_request(conn):
    """The next request of a connection; None when it ended between two; ValueError when it is no HTTP."""
    while b"\r\n\r\n" not in conn.buffer:
        if not _fill(conn):
            if conn.buffer.strip():
                raise ValueError("request cut: %r" % conn.buffer[:200])
            return None
    head, conn.buffer = conn.buffer.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or parts[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise ValueError("request line %r" % lines[0])
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise ValueError("header %r" % line)
        headers[name.lower()] = value.strip()
    conn.requests += 1
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = b""
        while True:
            while b"\r\n" not in conn.buffer:
                if not _fill(conn):
                    return None
            size, conn.buffer = conn.buffer.split(b"\r\n", 1)
            size = int(size.split(b";")[0], 16)
            while len(conn.buffer) < size + 2:
                if not _fill(conn):
                    return None
            body, conn.buffer = body + conn.buffer[:size], conn.buffer[size + 2:]
            if size == 0:
                break
    else:
        size = int(headers.get("content-length", "0"))
        while len(conn.buffer) < size:
            if not _fill(conn):
                raise ValueError("body cut")
        body, conn.buffer = conn.buffer[:size], conn.buffer[size:]
    return HttpRequest(conn, parts[0], parts[1], headers, body)
