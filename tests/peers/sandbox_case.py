"""What the tests of the sandbox share."""
import re
import unittest

from raw_client import CloudClient, entry
from raw_http import RawHttp
from sandbox_process import Sandbox, sandbox_path

QUIET = 0.4  # long enough to say that no answer came


class SandboxCase(unittest.TestCase):
    FLAGS = ()

    @classmethod
    def setUpClass(cls):
        if not sandbox_path():
            raise unittest.SkipTest("PARKLINK_SANDBOX is not set")
        cls.sandbox = Sandbox(*cls.FLAGS)

    @classmethod
    def tearDownClass(cls):
        cls.sandbox.stop()

    counter = 0

    def fresh(self, prefix="T"):
        SandboxCase.counter += 1
        return "%s%d" % (prefix, SandboxCase.counter)

    def client(self, **how):
        how.setdefault("local_id", self.fresh("box"))
        client = CloudClient(self.sandbox.cloud, **how)
        self.addCleanup(client.close)
        return client

    def ready(self, **how):
        client = self.client(**how)
        answer = client.login()
        self.assertEqual(answer and answer.get("state"), 1, answer)
        return client

    def order(self, **more):
        return entry(self.fresh("A"), **more)

    def in_park(self, data):
        return dict(data, service_name="in_park", data_target="cloud")

    def assertSilent(self, client):
        self.assertIsNone(client.frame(QUIET))

    def assertAlive(self, client):
        answer = client.upload("park_log", log_id="1", operate_time=1, content="x")
        self.assertEqual(answer, {"service_name": "park_log", "state": 1, "errmsg": "", "log_id": "1"})


class BolinkCase(SandboxCase):
    def http(self, login=True, **how):
        how.setdefault("local_id", self.fresh("http"))
        client = RawHttp(self.bolink_base(), **how)
        self.addCleanup(client.close)
        if login:
            answer = client.login()
            self.assertEqual(answer.get("state"), 1, answer)
        return client

    def bolink_base(self):
        return re.sub(r"/bpd/?$", "", self.sandbox.bolink)
