"""A bare client of the parking cloud: sockets and the normal form, nothing else. It can also do everything wrong."""
import json
import socket
import time

import normal_form


class Dead(Exception):
    """The other side closed the connection."""


class CloudClient(object):
    def __init__(self, address, park_id="21782", key="WERRTTTTYY", local_id="raw1", timeout=3.0):
        host, _, port = str(address).rpartition(":")
        self.sock = socket.create_connection((host or "127.0.0.1", int(port)), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.park_id, self.key, self.local_id, self.timeout = park_id, key, local_id, timeout
        self.token = None
        self.buffer = b""
        self.raw = b""

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send_raw(self, data):
        self.sock.sendall(data)

    def frame(self, timeout=None):
        """The text of the next frame (the empty ones included); None if none comes in time; Dead at the end."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            start = self.buffer.find(b"\n")
            stop = self.buffer.find(b"\r", start + 1) if start >= 0 else -1
            if stop >= 0:
                text, self.buffer = self.buffer[start + 1:stop], self.buffer[stop + 1:]
                return text.decode("utf-8")
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.sock.settimeout(left)
            try:
                piece = self.sock.recv(65536)
            except socket.timeout:
                return None
            except OSError:
                raise Dead("reset")
            if not piece:
                raise Dead("closed")
            self.raw += piece
            self.buffer += piece

    def reply(self, timeout=None):
        """The next frame with something in it, parsed (0x12 stays text); None if none comes in time."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            text = self.frame(max(0.0, end - time.monotonic()))
            if text is None:
                return None
            if text == "0x12":
                return text
            if text:
                return json.loads(text)

    def closed(self, timeout=1.0):
        """Whether the other side closes within the time given."""
        end = time.monotonic() + timeout
        try:
            while time.monotonic() < end:
                self.frame(end - time.monotonic())
            return False
        except Dead:
            return True

    def line(self, name, data_text, sign=True, token=True, key=None, data_first=False):
        """A request line; data_text is JSON text. sign and token may be given as text, or False for none."""
        parts = []
        if name is not None:
            parts.append('"service_name":' + json.dumps(name, ensure_ascii=False))
        if sign is True:
            sign = normal_form.sign_text(normal_form.normal(data_text), key or self.key)
        if sign is not False:
            parts.append('"sign":' + json.dumps(sign, ensure_ascii=False))
        if token is True:
            token = self.token or False
        if token is not False:
            parts.append('"token":' + json.dumps(token))
        if data_text is not None:
            parts.insert(0 if data_first else len(parts), '"data":' + data_text)
        return "{" + ",".join(parts) + "}"

    def send(self, name, data, end="\n", **how):
        text = data if isinstance(data, str) or data is None else normal_form.write(data)
        line = self.line(name, text, **how)
        self.send_raw(line.encode("utf-8") + end.encode())
        return line

    def ask(self, name, data, timeout=None, **how):
        self.send(name, data, **how)
        return self.reply(timeout)

    def login(self, local_id=None, timeout=None, **more):
        local_id = self.local_id if local_id is None else local_id
        data = {"park_id": self.park_id}
        if local_id != "":
            data["local_id"] = local_id
        data.update(more)
        answer = self.ask("login", data, timeout, token=False)
        if isinstance(answer, dict) and answer.get("state") == 1:
            self.token = answer["token"]
        return answer

    def upload(self, service, /, **data):
        return self.ask(service, dict(service_name=service, data_target="cloud", **data))

    def answer(self, service, /, timeout=0.5, **data):
        """Answer a downlink; the text of the frame that comes back ("" is the usual one)."""
        self.send(service, dict(service_name=service, data_target="cloud", **data))
        return self.frame(timeout)

    def heartbeat(self, text="0x11", timeout=0.5):
        self.send_raw(text.encode() + b"\n")
        return self.reply(timeout)


def entry(order_id, **more):
    """The data of an entry without its names."""
    data = {"order_id": order_id, "car_number": u"京A12345", "in_time": 1490875218, "car_type": u"小型车",
            "c_type": u"通道扫牌", "uid": "10001", "in_channel_id": "A1", "empty_plot": 12}
    data.update(more)
    return data
