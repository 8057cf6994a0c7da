"""The listener against HTTP of every kind: wrong, large, slow, cut, chunked, pipelined."""
import gzip
import socket
import time
import unittest

from listener_case import ETCP, UKEY, UNION, ListenerCase
from push_client import union_body

JSON = "application/json;charset=utf-8"


def request(path, body, method="POST", headers=(), length=True, version="1.1", kind=JSON):
    body = body.encode("utf-8") if isinstance(body, str) else body
    lines = ["%s %s HTTP/%s" % (method, path, version), "Host: a.example"]
    if kind:
        lines.append("Content-Type: " + kind)
    if length:
        lines.append("Content-Length: %d" % len(body))
    return ("\r\n".join(lines + list(headers)) + "\r\n\r\n").encode() + body


def chunked(path, body, sizes, trailer="", headers=()):
    body = body.encode("utf-8")
    out, at = b"", 0
    while at < len(body):
        size = sizes[at % len(sizes)]
        piece = body[at:at + size]
        out += b"%x;ext=1\r\n%s\r\n" % (len(piece), piece)
        at += size
    head = request(path, "", headers=["Transfer-Encoding: chunked"] + list(headers), length=False)
    return head + out + b"0\r\n" + trailer.encode() + b"\r\n"


class Refusals(ListenerCase):
    LISTEN = {"max_body_bytes": 65536, "header_timeout_ms": 700, "body_timeout_ms": 700}

    def refused(self, data, statuses, what=""):
        status = self.client.status_of(data)
        self.assertIn(status, statuses, what or data[:80])
        return status

    def tearDown(self):
        self.assertEqual(self.settle(), 0, "a callback was reached")
        self.assertWorks()

    def good(self):
        return self.body(self.one("outpark"))

    def test_path(self):
        for path in ("/", "/unio", "/unionx", "/UNION", "//union", "/bpd/upload.do", "/union%2f", "/../union", "*"):
            self.refused(request(path, self.good()), (404, 400), path)

    def test_method(self):
        for method in ("GET", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE", "post", "FOO"):
            self.client.connect()
            self.client.raw(request(UNION, b"" if method == "HEAD" else self.good(), method=method))
            head = b""
            while b"\r\n\r\n" not in head:
                piece = self.client.sock.recv(4096)
                if not piece:
                    break
                head += piece
            self.assertIn(head.split(b" ")[1:2], ([b"405"], [b"400"], [b"501"]), method)
            if method in ("GET", "PUT", "HEAD"):
                self.assertEqual(head.split(b" ")[1], b"405")
                self.assertRegex(head.lower(), rb"\r\nallow: *post\r\n", "a 405 tells what is allowed (RFC 9110)")
            self.client.close()

    def test_type(self):
        for kind in ("text/xml", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "image/png"):
            self.refused(request(UNION, self.good(), kind=kind), (415, 400), kind)
        for kind in ("text/xml", "image/png"):
            self.refused(request(ETCP, self.etcp_body(self.entered()), kind=kind), (415, 400), kind)

    def test_charset(self):
        self.refused(request(UNION, self.good().encode("gbk"), kind="application/json"), (400, 401, 403))
        self.refused(request(UNION, b"\xff" + self.good().encode("utf-8")), (400, 401, 403))

    def test_encoding(self):
        """A body that is packed is not taken: its text is not the text that was signed."""
        body = gzip.compress(self.good().encode("utf-8"))
        self.refused(request(UNION, body, headers=["Content-Encoding: gzip"]), (415, 400, 401, 403))

    def test_bodies(self):
        for body in ("", "{", "[]", "null", "1", '"x"', "{}", '{"data":{}}', '{"sign":"x"}', '{"data":1,"sign":"x"}', "\0" * 20,
                     "[" * 5000, '{"data":' * 3000, '{"data":{"a":1e999999},"sign":""}', "{'data':{},'sign':''}", "data=1&sign=2"):
            for path in (UNION, ETCP):
                self.refused(request(path, body), (400, 401, 403), "%s %r" % (path, body[:30]))

    def test_too_large(self):
        """Refused by its announced length, unread, and by its chunks, when they get too many."""
        push = self.one("outpark")
        body = union_body("outpark", dict(push.data, remark="x" * 70000), UKEY)
        start = time.monotonic()
        self.refused(request(UNION, body), (413,))
        self.refused(request(UNION, b"", headers=["Content-Length: 68719476736"], length=False), (413,))
        self.assertLess(time.monotonic() - start, 0.6, "it was waited for")
        status = self.client.status_of(chunked(UNION, body, (9000,)))
        self.assertIn(status, (413, None))

    def test_as_large_as_allowed(self):
        push = self.one("refund")
        body = union_body("refund", dict(push.data, remark="x" * 60000), UKEY)
        status, answer = self.client.ask(UNION, body)
        self.assertEqual((status, answer.get("state")), (200, 1))
        del self.software.events[:]

    def test_lengths(self):
        good = self.good()
        for header in ("-1", "x", "1 2", "+5", "0x10", "99999999999999999999999", "5, 6", ""):
            self.refused(request(UNION, good, headers=["Content-Length: " + header], length=False), (400, 413, None), header)
        self.refused(request(UNION, good, headers=["Content-Length: 3"]), (400, None), "two lengths")
        self.refused(request(UNION, good, headers=["Transfer-Encoding: chunked"]), (400, 401, 403, None), "length and chunks")
        self.refused(request(UNION, good, headers=["Transfer-Encoding: gzip"], length=False), (400, 415, 501, None))
        self.refused(request(UNION, good, length=False), (400, 411, None), "no length")

    def test_smuggled(self):
        """A second request inside what one side takes for a body never reaches the software."""
        inner = request(UNION, self.good())
        for head in (["Transfer-Encoding: chunked"], ["Transfer-Encoding : chunked"], ["Transfer-Encoding: xchunked"],
                     ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], ["Content-Length: 0"]):
            self.client.connect()
            self.client.raw(request("/x", b"0\r\n\r\n" + inner, headers=head))
            time.sleep(0.05)
            self.client.close()
            self.assertEqual(self.settle(), 0, head)

    def test_not_http(self):
        for data in (b"hello\r\n\r\n", b"\r\n" * 50, b"\x16\x03\x01\x02\x00\x01\x00" * 20, b"\0" * 300, b"POST /union\r\n\r\n",
                     b"POST /union HTTP/9.9\r\nHost: a\r\n\r\n", b"GET " + b"a" * 100000 + b" HTTP/1.1\r\n\r\n"):
            self.refused(data, (400, 404, 405, 408, 413, 414, 431, 505, None), data[:20])
        self.refused(request(UNION, self.good(), headers=["X-A: " + "b" * 200000]), (400, 431, None))
        self.refused(request(UNION, self.good(), headers=["X-%d: 1" % n for n in range(5000)]), (400, 431, None))

    def test_slow_head(self):
        """The head that does not come is not waited for."""
        start = time.monotonic()
        self.assertIn(self.client.status_of(b"POST /union HTTP/1.1\r\nHost: a\r\n"), (408, 400, None))
        self.assertLess(time.monotonic() - start, 2.0)

    def test_drip(self):
        """A byte now and then keeps neither head nor body open longer than their time."""
        for data in (request(UNION, self.good()), request(UNION, self.good())[:-1]):
            cut = 10 if data.endswith(b"}") else len(data) - 40
            self.client.connect()
            self.client.raw(data[:cut])
            start, ended = time.monotonic(), False
            for at in range(cut, len(data) - 1):
                try:
                    self.client.raw(data[at:at + 1])
                    self.client.sock.settimeout(0.1)
                    if self.client.sock.recv(4096) is not None:
                        ended = True
                        break
                except socket.timeout:
                    pass
                except OSError:
                    ended = True
                    break
                if time.monotonic() - start > 2.5:
                    break
            self.assertTrue(ended, "still open after %.1f s" % (time.monotonic() - start))
            self.client.close()

    def test_slow_body(self):
        data = request(UNION, self.good())
        start = time.monotonic()
        self.assertIn(self.client.status_of(data[:-10]), (408, 400, None))
        self.assertLess(time.monotonic() - start, 2.0)

    def test_truncated(self):
        data = request(UNION, self.good())
        for cut in (1, 20, len(data) // 2, len(data) - 1):
            self.client.connect()
            self.client.raw(data[:cut])
            self.client.sock.shutdown(socket.SHUT_WR)
            time.sleep(0.02)
            self.client.close()

    def test_cut_chunks(self):
        data = chunked(UNION, self.good(), (7, 3))
        for cut in (len(data) - 1, len(data) - 5, len(data) - 9, len(data) // 2):
            self.client.connect()
            self.client.raw(data[:cut])
            self.client.sock.shutdown(socket.SHUT_WR)
            time.sleep(0.02)
            self.client.close()
        self.refused(chunked(UNION, self.good(), (7,)).replace(b"7;ext=1", b"G;ext=1", 1), (400, None))


class Framings(ListenerCase):
    LISTEN = {"header_timeout_ms": 3000}

    def good(self, order=None):
        push = self.one("outpark")
        return union_body("outpark", dict(push.data, **({"order_id": order} if order else {})), UKEY)

    def assertTaken(self, client, count=1):
        for _ in range(count):
            status, _, body = client.receive_bytes()
            self.assertEqual(status, 200, body)
            self.assertIn(b'"state":1', body.replace(b" ", b""))

    def test_kept(self):
        for _ in range(30):
            self.client.raw(request(UNION, self.good()))
            self.assertTaken(self.client)
        self.assertEqual(self.software.count(), 30)

    def test_pipelined(self):
        """Several requests in one piece: as many answers, in order."""
        orders = ["P%d" % self.n() for _ in range(10)]
        self.client.raw(b"".join(request(UNION, self.good(order)) for order in orders))
        for order in orders:
            status, _, body = self.client.receive_bytes()
            self.assertEqual(status, 200)
            self.assertIn(order.encode(), body)
        self.assertEqual([e["data"]["order_id"] for e in self.software.events], orders)

    def test_pipelined_with_a_bad_one(self):
        self.client.raw(request(UNION, self.good()) + request("/nowhere", "{}") + request(UNION, self.good()))
        self.assertTaken(self.client)
        self.assertEqual(self.client.receive_bytes()[0], 404)
        try:
            self.assertTaken(self.client)
        except OSError:
            pass  # closed after the bad one: the platform sends it again

    def test_chunked(self):
        for sizes in ((1,), (3, 5), (4096,)):
            self.client.raw(chunked(UNION, self.good(), sizes, headers=["X-A: 1"]))
            self.assertTaken(self.client)
        self.client.raw(chunked(UNION, self.good(), (11,), trailer="X-Sum: 1\r\n"))
        self.assertTaken(self.client)
        self.assertEqual(self.software.count(), 4)

    def test_in_pieces(self):
        data = request(UNION, self.good())
        for at in range(0, len(data), 17):
            self.client.raw(data[at:at + 17])
            time.sleep(0.002)
        self.assertTaken(self.client)

    def test_expect(self):
        data = request(UNION, self.good(), headers=["Expect: 100-continue"])
        head, _, body = data.partition(b"\r\n\r\n")
        self.client.raw(head + b"\r\n\r\n")
        self.client.sock.settimeout(2)
        first = self.client.sock.recv(4096)
        self.assertTrue(first.startswith(b"HTTP/1.1 100"), first)
        self.client.raw(body)
        self.assertTaken(self.client)

    def test_old_and_closing(self):
        self.client.raw(request(UNION, self.good(), version="1.0"))
        self.assertTaken(self.client)
        self.client.connect()
        self.client.raw(request(UNION, self.good(), headers=["Connection: close"]))
        self.assertTaken(self.client)
        self.assertEqual(self.client.sock.recv(10), b"", "it said that it closes")

    def test_types_that_are_json(self):
        for kind in ("application/json", "Application/JSON; Charset=UTF-8", 'application/json; charset="utf-8"'):
            self.client.raw(request(UNION, self.good(), kind=kind))
            self.assertTaken(self.client)

    def test_query_in_the_address(self):
        """The address a vendor registers may carry a query of its own."""
        self.client.raw(request(UNION + "?lot=1", self.good()))
        self.assertTaken(self.client)


if __name__ == "__main__":
    unittest.main()
