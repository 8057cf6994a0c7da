"""What the tests of the library against the open API and ETCP share."""
import time

import parklink
from etcp_server import EtcpServer
from library_case import REQUEST_TIMEOUT, LibraryCase
from union_server import UnionServer

# How a fault of the platform's side is named, where the platform may or may not have taken the call.
UNSURE = (parklink.TIMEOUT, parklink.BROKEN, parklink.HTTP, parklink.PROTOCOL)


class HttpCase(LibraryCase):
    """One referee, and handles that know it."""
    allowed = ()  # rules that a test breaks on purpose

    def setUp(self):
        self.server = self.make_server().start()
        self.addCleanup(self.server.stop)

    def tearDown(self):
        self.server.check(self.allowed)

    def options(self):
        raise NotImplementedError

    def link(self, **more):
        config = {"http": {"proxy": ""}, "log": {"level": "trace"}}
        for group in (self.options(), more):
            for name, value in group.items():
                config[name] = dict(config.get(name, {}), **value) if isinstance(value, dict) else value
        return self.open({name: value for name, value in config.items() if value is not None})

    def steady(self, call, codes=(parklink.OK,), timeout=5.0):
        """The call works (again), if need be after the link has found its feet."""
        end = time.monotonic() + timeout
        while True:
            code, reply = call()
            if code in codes or time.monotonic() > end:
                self.assertIn(code, codes, reply)
                return reply
            time.sleep(0.05)


class UnionCase(HttpCase):
    def make_server(self):
        return UnionServer()

    def options(self):
        return {"union_id": "200208", "ukey": "8403A41ED5EF20BC", "park_id": "21782",
                "union": {"base": self.server.base, "community_base": self.server.base, "connect_timeout_ms": 1000,
                          "request_timeout_ms": int(REQUEST_TIMEOUT * 1000)}}


class EtcpCase(HttpCase):
    PHONE = "13800000001"

    def make_server(self):
        return EtcpServer()

    def options(self):
        return {"etcp": {"base": self.server.base, "merchant_no": self.server.merchant_no,
                         "merchant_key": self.server.merchant_key, "connect_timeout_ms": 1000,
                         "request_timeout_ms": int(REQUEST_TIMEOUT * 1000)}}
