"""What the tests of the library share."""
import time
import unittest

import parklink
from bolink_server import BolinkServer
from cloud_server import CloudServer
from parklink import Background, Parklink
from raw_client import entry

REQUEST_TIMEOUT = 1.2


class LibraryCase(unittest.TestCase):
    counter = 0

    @classmethod
    def setUpClass(cls):
        if not parklink.library_path():
            raise unittest.SkipTest("PARKLINK_LIB is not set")

    def fresh(self, prefix="A"):
        LibraryCase.counter += 1
        return "%s%d" % (prefix, LibraryCase.counter)

    def order(self, **more):
        return entry(self.fresh(), **more)

    def leave(self, data, **more):
        out = dict(data, out_time=1490879218, duration=66, pay_type="cash", total="6.00", amount_receivable="6.00",
                   cash_pay="6.00", out_uid="10001", out_channel_id="B1")
        out.update(more)
        return out

    def log_record(self, **more):
        record = {"service_name": "park_log", "data_target": "cloud", "log_id": self.fresh("L"), "operate_time": 1490875218,
                  "content": "x", "user_id": "3020551"}
        record.update(more)
        return record

    def config(self, to_cloud=None, to_bolink=None, **more):
        config = {"park_id": "21782", "union_id": "200208", "ukey": "8403A41ED5EF20BC", "local_id": "box1"}
        if to_cloud is not None:
            config.update(ckey="WERRTTTTYY", cloud_addr="127.0.0.1", cport=getattr(to_cloud, "port", to_cloud))
            config["cloud"] = {"request_timeout_ms": int(REQUEST_TIMEOUT * 1000), "connect_timeout_ms": 1000, "heartbeat_s": 1,
                               "heartbeat_timeout_ms": 400, "retry_first_ms": 50, "retry_longest_ms": 200,
                               "login_pause_ms": 0}
        if to_bolink is not None:
            config.update(bolink_addr="127.0.0.1", bport=getattr(to_bolink, "port", to_bolink))
            config["bolink"] = {"request_timeout_ms": int(REQUEST_TIMEOUT * 1000), "connect_timeout_ms": 1000,
                                "retry_first_ms": 50, "retry_longest_ms": 200}
            config["http"] = {"proxy": ""}
        for name, value in more.items():
            if isinstance(value, dict) and isinstance(config.get(name), dict):
                config[name].update(value)
            else:
                config[name] = value
        return config

    def open(self, config):
        handle = Parklink(config)
        self.addCleanup(handle.close)
        return handle

    def answered(self, handle, call, timeout=5.0, codes=(parklink.OFFLINE,)):
        """Repeat the call while the link is not up yet."""
        end = time.monotonic() + timeout
        while True:
            code, reply = call()
            if code not in codes or time.monotonic() > end:
                return code, reply
            time.sleep(0.03)

    def beside(self, function, *arguments):
        return Background(function, *arguments)


class CloudCase(LibraryCase):
    allowed = ()  # rules that a test breaks on purpose

    def setUp(self):
        self.cloud = CloudServer(**self.server_options()).start()
        self.addCleanup(self.cloud.stop)
        self.cloud.patience = REQUEST_TIMEOUT * 0.9
        self.cloud.beat_within = 2.5

    def server_options(self):
        return {}

    def tearDown(self):
        self.cloud.check(self.allowed)

    def link(self, up=True, **more):
        """An open handle, logged in."""
        handle = self.open(self.config(self.cloud, **more))
        if up:
            self.wait_up(1)
        return handle

    def wait_up(self, conns=1):
        self.assertTrue(self.cloud.wait(lambda: len([c for c in self.cloud.live() if c.logged_in]) >= conns), "no login came")
        time.sleep(0.05)  # until the library has read the reply

    def polled(self, **more):
        """The same, with events taken by poll."""
        handle = self.link(up=False, **more)
        handle.try_poll(0)
        self.wait_up()
        return handle

    def works(self, handle):
        """The link serves, if need be after it has come back."""
        data = self.order()
        code, reply = self.answered(handle, lambda: handle.try_in_park(data),
                                    codes=(parklink.OFFLINE, parklink.BROKEN, parklink.LOGIN_REFUSED))
        self.assertEqual(code, parklink.OK, (reply, handle.last_error))
        self.assertIn(data["order_id"], [d["order_id"] for d in self.cloud.stored_data("in_park")])
        return reply

    def stored(self, order_id, service="in_park"):
        return [d for d in self.cloud.stored_data(service) if d.get("order_id") == order_id]


class BolinkCase(LibraryCase):
    allowed = ()

    def setUp(self):
        self.bolink = BolinkServer(**self.server_options()).start()
        self.addCleanup(self.bolink.stop)

    def server_options(self):
        return {"hold": 0.5}

    def tearDown(self):
        self.bolink.check(self.allowed)

    def link(self, up=True, poll=True, **more):
        handle = self.open(self.config(None, self.bolink, **more))
        if poll:
            handle.try_poll(0)
        if up:
            self.assertTrue(self.bolink.wait(lambda: self.bolink.downloads()), "no poll came")
            time.sleep(0.03)
        return handle

    def stored(self, order_id, service="inpark"):
        return [d for d in self.bolink.stored_data(service) if d.get("order_id") == order_id]

    def works(self, handle):
        data = self.order()
        code, reply = self.answered(handle, lambda: handle.try_in_park(data),
                                    codes=(parklink.OFFLINE, parklink.BROKEN, parklink.LOGIN_REFUSED))
        self.assertEqual(code, parklink.OK, (reply, handle.last_error))
        self.assertEqual(len(self.stored(data["order_id"])), 1)
        return reply
