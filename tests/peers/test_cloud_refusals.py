"""The library against the cloud's referee: records that were refused and come again (cloud-tcp 4 and 4.1), and callers that
wait for the limits."""
import socket
import time

import parklink
import cloud_facts as facts
import cloud_faults as fault
from cloud_parts import error
from library_case import CloudCase


def remembered(reply, unstored=False):
    """The guard remembers the line, and something behind it answers this; nothing is stored."""
    def step(job):
        with job.server.lock:
            refusal = job.server._guard(job.request)
            if unstored:
                job.server.unstored.add(job.request.sign)
        job.settle()
        job.conn.send(refusal or reply)
    return step


class RefusedThenRepeated(CloudCase):
    def test_a_refusal_of_the_envelope(self):
        """The guard remembers a signature before anything else is looked at: the same bytes would be called handled."""
        p = self.link()
        for text in (facts.WRONG_SIGN, facts.NO_DATA, u"error:车场编号异常，未成功在云平台注册"):
            data = self.order()
            self.cloud.plan("in_park", remembered(error(text), unstored=True))
            self.assertEqual(p.try_in_park(data)[0], parklink.REFUSED)
            self.assertEqual(p.try_in_park(data)[0], parklink.OK)
            self.assertEqual(len(self.stored(data["order_id"])), 1, "told as done, but never stored")

    def test_a_refusal_of_the_service(self):
        p = self.link()
        data = self.order()
        refusal = dict(error(u"数据无效"), service_name="in_park", order_id=data["order_id"])
        self.cloud.plan("in_park", remembered(refusal, unstored=True))
        self.assertEqual(p.try_in_park(data)[0], parklink.REFUSED)
        self.assertEqual(p.try_in_park(data)[0], parklink.OK)
        self.assertEqual(len(self.stored(data["order_id"])), 1)

    def test_an_exit_that_is_being_paid(self):
        """State 2, then the same call again (SDK 2.2): that it was received is not that it was paid."""
        p = self.link()
        data = self.leave(self.order(), pay_type="wallet")
        pending = {"service_name": "out_park", "state": 2, "errmsg": "", "order_id": data["order_id"]}
        self.cloud.plan("out_park", remembered(pending), times=2)
        for _ in range(2):
            self.assertEqual(p.try_out_park(data)[0], parklink.PENDING)


class RefusedByTheOldGuard(CloudCase):
    def server_options(self):
        return {"old_guard": True}

    def test_a_dead_token(self):
        """The older server remembers every service: after a refusal its word does not mean received."""
        p = self.link()
        record = self.log_record()
        self.cloud.plan("park_log", lambda job: (job.server.kill_tokens(), job.answer()))
        code, _ = self.answered(p, lambda: p.try_upload(record))
        self.assertEqual(code, parklink.OK)
        self.assertEqual(len(self.cloud.stored_data("park_log")), 1, "told as done, but never stored")


class LoginLine(CloudCase):
    def test_it_is_measured_too(self):
        with self.assertRaises(parklink.ParklinkError) as refused:
            self.link(local_id=u"箱" * 196, set_params={"usb_key": "x" * 600})
        self.assertEqual(refused.exception.code, parklink.CONFIG)
        self.assertIn("1024", str(refused.exception))
        self.assertIn("local_id", str(refused.exception))


class WaitingForTheLimit(CloudCase):
    def test_the_queue_goes_on_when_its_moment_comes(self):
        """Answers come about when the next order may go: whoever looks then must not miss it."""
        p = self.link(cloud={"request_timeout_ms": 5000})
        self.cloud.plan("in_park", fault.late(0.01), times=1000)
        calls = [self.beside(p.try_in_park, self.order()) for _ in range(28)]
        self.assertEqual([call.wait(8)[0] for call in calls], [parklink.OK] * 28)


class NoConnection(CloudCase):
    def test_a_call_keeps_to_its_time_while_connecting_hangs(self):
        """An address that does not even refuse: the call waits its own time, not the connection's."""
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            waiting = [socket.socket() for _ in range(3)]
            for one in waiting:
                self.addCleanup(one.close)
                one.setblocking(False)
                one.connect_ex(full.getsockname())
            p = self.open(self.config(full.getsockname()[1], cloud={"request_timeout_ms": 300, "connect_timeout_ms": 20000}))
            begun = time.monotonic()
            code, _ = p.try_in_park(self.order())
            self.assertEqual(code, parklink.OFFLINE)
            self.assertLess(time.monotonic() - begun, 5)
