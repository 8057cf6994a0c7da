"""The listener with TLS, with many connections, in a burst, under rubbish, and as it closes."""
import os
import socket
import ssl
import subprocess
import threading
import time
import unittest

import parklink
from listener_case import UKEY, UNION, ListenerCase
from test_listener_http import request


class Tls(ListenerCase):
    def test_alone_with_tls(self):
        folder = self.folder()
        key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
        try:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError):
            self.skipTest("no openssl program")
        self.start(listen={"tls_cert": cert, "tls_key": key, "header_timeout_ms": 700})
        context = ssl.create_default_context(cafile=cert)
        client = self.pusher()
        client.connect()
        client.sock = context.wrap_socket(client.sock, server_hostname="localhost")
        self.assertIn(client.sock.version(), ("TLSv1.2", "TLSv1.3"))
        for _ in range(2):
            status, answer = client.ask(UNION, self.body(self.one("outpark")))
            self.assertEqual((status, answer.get("state")), (200, 1))
        plain = self.pusher()
        self.assertIn(plain.status_of(request(UNION, self.body(self.one("outpark")))), (400, None))
        plain.connect()
        plain.sock.settimeout(3)
        self.assertEqual(plain.sock.recv(10), b"", "a handshake that never comes is not waited for")
        self.assertEqual(self.software.count(), 2)


class Many(ListenerCase):
    LISTEN = {"header_timeout_ms": 5000}

    def test_idle_connections(self):
        """200 connections that say nothing, or a part: real pushes still get their answer at once."""
        idle = []
        for n in range(200):
            sock = socket.create_connection(("127.0.0.1", int(self.addr.rpartition(":")[2])), timeout=3)
            self.addCleanup(sock.close)
            if n % 2:
                sock.sendall(b"POST /union HTTP/1.1\r\nHost: a\r\nX: ")
            idle.append(sock)
        start = time.monotonic()
        for _ in range(10):
            status, answer = self.pusher().ask(UNION, self.body(self.one("outpark")))
            self.assertEqual((status, answer.get("state")), (200, 1))
        self.assertLess(time.monotonic() - start, 3.0)

    def test_more_than_allowed(self):
        self.start(listen={"max_connections": 8})
        socks = []
        for _ in range(40):
            sock = socket.create_connection(("127.0.0.1", int(self.addr.rpartition(":")[2])), timeout=3)
            self.addCleanup(sock.close)
            socks.append(sock)
        self.assertWorks()

    def test_while_the_software_thinks(self):
        """A callback that takes its time holds up neither refusals nor the answers to repeats."""
        self.start(answer=lambda event: time.sleep(1.5) or {"state": 1})
        done = self.body(self.one("outpark"))
        self.client.ask(UNION, done)
        waiting = self.beside(self.pusher().ask, UNION, self.body(self.one("outpark")))
        self.settle(2)
        start = time.monotonic()
        self.assertRefused(*self.pusher().ask(UNION, "{}"))
        self.assertRefused(*self.pusher().ask("/nowhere", "{}"))
        self.assertEqual(self.pusher().ask(UNION, done)[1].get("state"), 1)
        self.assertLess(time.monotonic() - start, 1.0)
        self.assertEqual(waiting.wait()[1].get("state"), 1)

    def test_close(self):
        """With idle, half and waiting connections: close returns soon, and the port is free."""
        self.start(answer=lambda event: None)
        half = self.pusher()
        half.connect()
        half.raw(b"POST /union HTTP/1.1\r\n")
        waiting = self.beside(self.pusher().ask, UNION, self.body(self.one("outpark")))
        self.settle(1)
        start = time.monotonic()
        self.stop()
        self.assertLess(time.monotonic() - start, 3.0)
        waiting.join(3)
        self.assertFalse(waiting.is_alive(), "its connection is still open")
        self.start(listen={"addr": self.addr})
        self.assertWorks()

    def test_a_port_that_is_taken(self):
        with self.assertRaises(parklink.ParklinkError) as caught:
            self.open({"ukey": UKEY, "listen": {"addr": self.addr}})
        self.assertIn("listen.addr", caught.exception.message)
        self.assertWorks()

    def test_a_burst(self):
        """Signed pushes over many connections, each one sent twice: none lost, none handled twice."""
        bodies = [self.body(self.one("outpark")) for _ in range(300)]
        answers, lock = [], threading.Lock()

        def send(part):
            client = self.pusher()
            for body in part:
                for _ in range(2):
                    result = client.ask(UNION, body, timeout=8)
                    with lock:
                        answers.append(result)
        threads = [threading.Thread(target=send, args=(bodies[n::15],)) for n in range(15)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertEqual(len(answers), 600)
        self.assertEqual([a for a in answers if a[0] != 200 or a[1].get("state") != 1], [])
        self.assertEqual(self.settle(), 300)
        self.assertEqual(len({e["data"]["trade_no"] for e in self.software.events}), 300)

    def test_rubbish(self):
        """A thousand malformed requests, and it still answers."""
        for n in range(1000):
            body = self.body(self.one("outpark"))
            data = request(UNION, body)
            data = (data[:n % len(data)] + b"\xff\r\n\r\n", data.replace(b"POST", b"P\0ST"), data.replace(b"\r\n", b"\n", 1)[:-30],
                    request(UNION, body[:n % len(body)]))[n % 4]
            self.client.connect()
            self.client.raw(data)
            self.client.close()
        self.assertEqual(self.settle(), 0)
        self.assertWorks()


if __name__ == "__main__":
    unittest.main()
