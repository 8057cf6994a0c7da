"""What the tests of the library's listener share: a handle that listens, software that answers, a client that pushes."""
import shutil
import tempfile
import threading
import time

import parklink
from etcp_server import MERCHANT_KEY, MERCHANT_NO, beijing
from library_case import LibraryCase
from push_client import PushClient, etcp_text, union_body
from push_facts import car_in, car_out, pushes

UKEY = "8403A41ED5EF20BC"
UNION, ETCP = "/union", "/etcp"


class Software(object):
    """Takes events by poll and answers them with what `answer(event)` returns; None: no answer."""

    def __init__(self, handle, answer):
        self.handle, self.answer = handle, answer
        self.events, self.codes, self.stopping = [], [], False
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.first = handle.try_poll(0)
        self.thread.start()

    def _run(self):
        while not self.stopping:
            code, event = self.first or self.handle.try_poll(50)
            self.first = None
            if code == parklink.OK:
                with self.lock:
                    self.events.append(event)
                reply = self.answer(event)
                if reply is not None:
                    self.codes.append(self.handle.try_reply(event["event_id"], reply))
            elif code != parklink.NO_EVENT:
                return

    def stop(self):
        self.stopping = True
        self.thread.join(3)

    def of(self, member, value):
        with self.lock:
            return [e for e in self.events if isinstance(e["data"], dict) and e["data"].get(member) == value]

    def count(self):
        with self.lock:
            return len(self.events)


class ListenerCase(LibraryCase):
    LISTEN = {}

    def setUp(self):
        self.replies = {}
        self.handle, self.software = None, None
        self.start()

    def start(self, answer=None, **more):
        self.stop()
        config = {"union_id": "200208", "ukey": UKEY, "park_id": "21782", "http": {"proxy": ""},
                  "etcp": {"merchant_no": MERCHANT_NO, "merchant_key": MERCHANT_KEY},
                  "listen": dict({"addr": "127.0.0.1:0"}, **self.LISTEN)}
        for name, value in more.items():
            config[name] = dict(config.get(name, {}), **value) if isinstance(value, dict) else value
        self.handle = self.open(config)
        self.addr = self.handle.status()["listener"]["addr"]
        self.software = Software(self.handle, answer or self.answer)
        self.addCleanup(self.stop)
        self.client = self.pusher()

    def stop(self):
        if self.software:
            self.software.stop()
            self.handle.close()
            self.software = None

    def answer(self, event):
        """What the test wants answered for this service, else plain success."""
        if event["platform"] == "etcp":
            return {"code": 0, "message": "ok"}
        return self.replies.get(event["service_name"], {"state": 1})

    def pusher(self, timeout=6.0):
        client = PushClient(self.addr, timeout=timeout)
        self.addCleanup(client.close)
        return client

    def folder(self):
        path = tempfile.mkdtemp(prefix="parklink-listener-")
        self.addCleanup(shutil.rmtree, path, True)
        return path

    number = 0

    def n(self):
        ListenerCase.number += 1
        return ListenerCase.number

    def body(self, push, **how):
        if push.name == "monthcard_pay":
            how.setdefault("beside", {"union_id": 200208})
        return union_body(push.name, push.data, UKEY, **how)

    def one(self, name):
        """A push of this kind that was never sent before."""
        return next(p for p in pushes(self.n()) if p.name == name)

    def entered(self, ago=0):
        return car_in(self.n(), beijing(ago).strftime("%Y-%m-%d %H:%M:%S"))

    def left(self, ago=0):
        return car_out(self.n(), beijing(ago).strftime("%Y-%m-%d %H:%M:%S"))

    def etcp_body(self, data, make=etcp_text):
        return make(data, MERCHANT_NO, MERCHANT_KEY)

    def settle(self, count=None, timeout=3.0):
        """Wait until the software has had that many events, or a moment when none more may come."""
        end = time.monotonic() + (timeout if count is not None else 0.15)
        while time.monotonic() < end and (count is None or self.software.count() < count):
            time.sleep(0.01)
        return self.software.count()

    def assertRefused(self, status, answer, what=""):
        """An HTTP error, or the document's own word for failure; never success."""
        if status == 200:
            word = answer.get("state", answer.get("code")) if isinstance(answer, dict) else answer
            success = "1" if isinstance(answer, dict) and "state" in answer else "0"
            self.assertNotEqual(str(word), success, what)
            self.assertIsInstance(answer, dict, what)
        else:
            self.assertTrue(400 <= status < 600, (status, answer, what))

    def assertWorks(self):
        """A right push is answered rightly, whatever happened before."""
        push = self.one("outpark")
        status, answer = self.pusher().ask(UNION, self.body(push))
        self.assertEqual((status, answer.get("state")), (200, 1))
        self.assertEqual(len(self.software.of("trade_no", push.data["trade_no"])), 1)
