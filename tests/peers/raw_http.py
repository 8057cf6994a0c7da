"""A bare client of Bolink's HTTP mode: one kept connection, no HTTP library."""
import json
import socket

import normal_form
from bolink_server import DOWNLOAD, UPLOAD


class RawHttp(object):
    """One kept connection; also used against the sandbox."""

    def __init__(self, address, ukey="8403A41ED5EF20BC", union_id="200208", park_id="21782", local_id="raw1", timeout=5.0):
        address = str(address).replace("http://", "")
        address, _, self.prefix = address.partition("/")
        self.prefix = "/" + self.prefix.rstrip("/") if self.prefix else ""
        host, _, port = address.rpartition(":")
        self.host, self.port, self.timeout = host or "127.0.0.1", int(port), timeout
        self.ukey, self.union_id, self.park_id, self.local_id = ukey, union_id, park_id, local_id
        self.token, self.sock, self.buffer = None, None, b""

    def close(self):
        if self.sock:
            self.sock.close()
        self.sock = None

    def connect(self):
        self.close()
        self.buffer = b""
        self.sock = socket.create_connection((self.host, self.port), timeout=self.timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, path, text, method="POST", content_type="application/json;charset=utf-8"):
        if self.sock is None:
            self.connect()
        body = text.encode("utf-8") if isinstance(text, str) else text
        head = "%s %s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (
            method, path, self.host, self.port, content_type, len(body))
        self.sock.sendall(head.encode() + body)

    def _fill(self):
        piece = self.sock.recv(65536)
        self.buffer += piece
        return bool(piece)

    def receive(self, timeout=None):
        """(status, headers, text)."""
        code, headers, body = self.receive_bytes(timeout)
        return code, headers, body.decode("utf-8")

    def receive_bytes(self, timeout=None):
        """(status, headers, body)."""
        self.sock.settimeout(self.timeout if timeout is None else timeout)
        while b"\r\n\r\n" not in self.buffer:
            if not self._fill():
                raise OSError("closed")
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        code = int(lines[0].split(" ")[1])
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while True:
                while b"\r\n" not in self.buffer:
                    if not self._fill():
                        raise OSError("cut")
                size, self.buffer = self.buffer.split(b"\r\n", 1)
                size = int(size.split(b";")[0], 16)
                if size == 0:
                    self._trailers()
                    break
                while len(self.buffer) < size + 2:
                    if not self._fill():
                        raise OSError("cut")
                body, self.buffer = body + self.buffer[:size], self.buffer[size + 2:]
        elif "content-length" in headers:
            size = int(headers["content-length"])
            while len(self.buffer) < size:
                if not self._fill():
                    raise OSError("cut")
            body, self.buffer = self.buffer[:size], self.buffer[size:]
        else:
            while self._fill():
                pass
            body, self.buffer = self.buffer, b""
        return code, headers, body

    def _trailers(self):
        while True:
            while b"\r\n" not in self.buffer:
                if not self._fill():
                    raise OSError("cut")
            line, self.buffer = self.buffer.split(b"\r\n", 1)
            if not line:
                return

    def post(self, path, text, timeout=None, **how):
        self.send(path, text, **how)
        return self.receive(timeout)

    def body(self, name, data_text, token=True, sign=None):
        sign = normal_form.sign_text(data_text, self.ukey) if sign is None else sign
        parts = ['"service_name":' + json.dumps(name), '"sign":"%s"' % sign]
        if token is True:
            token = self.token
        if token:
            parts.append('"token":"%s"' % token)
        return "{" + ",".join(parts) + ',"data":' + data_text + "}"

    def upload(self, name, data, timeout=None, **how):
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        code, _, answer = self.post(self.prefix + UPLOAD, self.body(name, text, **how), timeout)
        return json.loads(answer) if code == 200 and answer else {"http": code, "text": answer}

    def login(self, **more):
        data = {"union_id": self.union_id, "park_id": self.park_id, "local_id": self.local_id}
        data.update(more)
        answer = self.upload("login", data, token=None)
        if answer.get("state") == 1:
            self.token = answer["token"]
        return answer

    def poll(self, timeout=None):
        code, _, text = self.post(self.prefix + DOWNLOAD, json.dumps({"token": self.token}), timeout)
        return code, text
