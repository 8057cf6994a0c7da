"""The library with both platforms, and through proxies."""
import json
import os
import socket
import tempfile
import threading
import time
import unittest

import bolink_faults as bolink_fault
import cloud_faults as fault
import parklink
from bolink_server import BolinkServer
from cloud_server import CloudServer
from library_case import LibraryCase


class Proxy(LibraryCase):
    """A proxy that is configured is used, and never gone round."""

    def recorder(self):
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        self.addCleanup(listener.close)
        lines = []

        def serve():
            while True:
                try:
                    conn, _ = listener.accept()
                except OSError:
                    return
                conn.settimeout(1)
                try:
                    lines.append(conn.recv(4096).split(b"\r\n")[0])
                    conn.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                except OSError:
                    pass
                conn.close()
        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1], lines

    def wait_for(self, lines):
        end = time.monotonic() + 3
        while not lines and time.monotonic() < end:
            time.sleep(0.02)
        self.assertTrue(lines, "the proxy was not asked")

    def check_asked(self, lines, bolink):
        self.wait_for(lines)
        self.assertIn(lines[0].split(b" ")[:2], ([b"POST", b"http://127.0.0.1:%d/bpd/upload.do" % bolink.port],
                                                 [b"CONNECT", b"127.0.0.1:%d" % bolink.port]))
        self.assertEqual(bolink.received, [])

    def test_by_option(self):
        with BolinkServer() as bolink:
            port, lines = self.recorder()
            self.open(self.config(None, bolink, http={"proxy": "http://127.0.0.1:%d" % port}))
            self.check_asked(lines, bolink)

    def test_a_dead_proxy_is_an_error(self):
        with BolinkServer() as bolink:
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
            listener.close()
            p = self.open(self.config(None, bolink, http={"proxy": "http://127.0.0.1:%d" % port}))
            time.sleep(0.5)
            self.assertIn(p.try_in_park(self.order())[0], (parklink.PROXY, parklink.OFFLINE))
            self.assertEqual(bolink.received, [])

    def environment(self, **values):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "https_proxy", "HTTPS_PROXY"):
            old = os.environ.pop(name, None)
            self.addCleanup(lambda n=name, o=old: os.environ.pop(n, None) if o is None else os.environ.__setitem__(n, o))
        os.environ.update(values)

    def test_by_environment(self):
        with BolinkServer() as bolink:
            port, lines = self.recorder()
            self.environment(http_proxy="http://127.0.0.1:%d" % port)
            config = self.config(None, bolink)
            del config["http"]
            self.open(config)
            self.check_asked(lines, bolink)

    def test_no_proxy_and_empty_option(self):
        with BolinkServer() as bolink:
            port, lines = self.recorder()
            self.environment(http_proxy="http://127.0.0.1:%d" % port, no_proxy="127.0.0.1")
            config = self.config(None, bolink)
            del config["http"]
            p = self.open(config)
            self.assertTrue(bolink.wait(bolink.logins))
            p.close()
            del os.environ["no_proxy"]
            bolink.received[:] = []
            self.open(self.config(None, bolink))  # "proxy": ""
            self.assertTrue(bolink.wait(bolink.logins))
            self.assertEqual(lines, [])


class BothPlatforms(LibraryCase):
    def setUp(self):
        self.cloud, self.bolink = CloudServer().start(), BolinkServer(hold=0.5).start()
        self.addCleanup(self.cloud.stop)
        self.addCleanup(self.bolink.stop)
        self.p = self.open(self.config(self.cloud, self.bolink))
        self.p.try_poll(0)
        self.assertTrue(self.cloud.wait(lambda: [c for c in self.cloud.live() if c.logged_in]))
        self.assertTrue(self.bolink.wait(lambda: self.bolink.downloads()))
        time.sleep(0.05)

    def tearDown(self):
        self.cloud.check()
        self.bolink.check()

    def test_an_order_goes_to_both(self):
        data = self.order()
        self.assertEqual(self.p.in_park(data)["state"], 1)
        self.assertEqual(self.p.out_park(self.leave(data))["state"], 1)
        self.assertEqual([n for n, _ in self.cloud.stored], ["in_park", "out_park"])
        self.assertEqual([n for n, _ in self.bolink.stored], ["inpark", "outpark"])

    def test_records_go_where_they_belong(self):
        self.p.upload(self.log_record())
        self.p.upload({"service_name": "query_order", "data_target": "bolink", "order_id": "A1", "time_temp": 1})
        self.assertEqual(([n for n, _ in self.cloud.stored], [n for n, _ in self.bolink.stored]), (["park_log"], ["query_order"]))

    def test_one_is_down(self):
        """The other still gets the order; success is not claimed for both."""
        self.bolink.stop()
        time.sleep(0.2)
        code, _ = self.p.try_in_park(self.order())
        self.assertNotEqual(code, parklink.OK)
        self.assertTrue(self.cloud.wait(lambda: self.cloud.stored_data("in_park"), 1), "the cloud got nothing")

    def test_a_silent_cloud_keeps_nothing_from_bolink(self):
        """Each has its own time: the exit reaches the one although the other never answers."""
        self.cloud.plan("out_park", fault.never())
        data = self.leave(self.order(), pay_type="wallet")
        code, reply = self.p.try_out_park(data)
        self.assertEqual([n for n, _ in self.bolink.stored], ["outpark"])
        self.assertEqual([reply["links"][name]["code"] for name in ("bolink", "cloud")], ["pending", "timeout"])
        self.assertEqual(reply["state"], 2)
        self.assertEqual(code, parklink.PENDING, "told as a failure it would be sent again, and charged twice")

    def test_an_exit_that_is_paid_waits_for_the_cloud(self):
        with tempfile.TemporaryDirectory() as folder:
            p = self.open(self.config(self.cloud, self.bolink, local_id="kept", store={"dir": folder}))
            self.answered(p, lambda: p.try_in_park(self.order()))
            for bolink, codes in [(1, ["ok", "queued"]), (2, ["pending", "queued"]), (0, ["refused", "broken"])]:
                self.cloud.plan("out_park", fault.close_before(process=False))
                self.bolink.plan("outpark", bolink_fault.reply({"state": bolink, "errmsg": "x", "service_name": "outpark"}))
                data = self.leave(self.order(), pay_type="wallet")
                code, reply = p.try_out_park(data)
                self.assertEqual([reply["links"][name]["code"] for name in ("bolink", "cloud")], codes)
                self.assertEqual(code, {1: parklink.OK, 2: parklink.PENDING, 0: parklink.REFUSED}[bolink])
                stored = lambda: [d for d in self.cloud.stored_data("out_park") if d["order_id"] == data["order_id"]]
                self.assertEqual(bool(self.cloud.wait(stored, 1)), bolink != 0)
            p.close()

    def test_who_has_paid_does_not_wait_for_the_clouds_turn(self):
        with tempfile.TemporaryDirectory() as folder, CloudServer() as cloud:
            p = self.open(self.config(cloud, self.bolink, local_id="kept", store={"dir": folder},
                                      cloud={"request_timeout_ms": 60000}))
            self.assertTrue(cloud.wait(lambda: [c for c in cloud.live() if c.logged_in]))
            cloud.stop()
            self.assertTrue(self.bolink.wait(lambda: p.status()["links"]["cloud"]["state"] == "down"))
            data = self.order()
            self.answered(p, lambda: p.try_in_park(data))
            begun = time.monotonic()
            code, reply = p.try_out_park(self.leave(data, pay_type="wallet"))
            self.assertEqual((code, reply["links"]["cloud"]["code"]), (parklink.PENDING, "queued"))
            self.assertLess(time.monotonic() - begun, 20)
            p.close()

    def test_downlinks_of_both(self):
        self.cloud.downlink("lock_car", {"order_id": "A1", "is_locked": 1})
        self.bolink.push({"service_name": "query_price", "order_id": "A1", "park_id": "21782", "pay_scene": 1})
        events = [self.p.poll(2000), self.p.poll(2000)]
        self.assertEqual(sorted(e["platform"] for e in events), ["bolink", "cloud"])
        for event in events:
            if event["platform"] == "cloud":
                self.p.reply(event["event_id"], {"state": 1})
            else:
                self.p.reply(event["event_id"], {"state": 1, "price": "1.00", "duration": 5})
        self.assertTrue(self.cloud.wait(lambda: self.cloud.answers))
        self.assertTrue(self.bolink.wait(lambda: self.bolink.answers))

    def test_call_names_one_platform(self):
        data = self.order()
        self.p.call("cloud.in_park", data)
        self.assertEqual((len(self.cloud.stored), len(self.bolink.stored)), (1, 0))
        self.p.call("bolink.in_park", self.order())
        self.assertEqual((len(self.cloud.stored), len(self.bolink.stored)), (1, 1))

    def test_secrets_stay_inside(self):
        p = self.open(self.config(None, self.bolink, local_id="spy", log={"level": "trace"}))
        p.on_log()
        self.assertTrue(self.bolink.wait(lambda: "spy" in self.bolink.tokens.values()))
        self.answered(p, lambda: p.try_in_park(self.order()))
        text = json.dumps([p.lines, p.status()], ensure_ascii=False)
        p.close()
        for secret in ["8403A41ED5EF20BC"] + [r.token for r in self.bolink.received if r.token]:
            self.assertNotIn(secret, text)

if __name__ == "__main__":
    unittest.main()
