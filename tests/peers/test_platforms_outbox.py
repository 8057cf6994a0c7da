"""Durable calls of the open API and ETCP while the platform cannot be reached: kept, sent once, in order (with a store)."""
import shutil
import tempfile
import unittest

import bolink_faults as fault
import parklink
from etcp_server import EtcpServer
from platform_case import EtcpCase, UnionCase
from test_etcp import PLATE, paid
from union_facts import CALLS
from union_server import UnionServer

DURABLE = ("addorder", "updateorder", "uploaddurationinfo", "addInvoiceOrder", "personRecord", "correct_business")


def store(case, **more):
    folder = tempfile.mkdtemp(prefix="parklink-peers-")
    case.addCleanup(shutil.rmtree, folder, True)
    return {"store": {"dir": folder}, "outbox": dict({"retry_first_ms": 30, "retry_longest_ms": 100}, **more)}


class Union(UnionCase):
    def back(self):
        """The platform comes back at its old address."""
        port = self.server.port
        self.server.stop()
        self.server = UnionServer().start(port)
        self.addCleanup(self.server.stop)

    def test_kept_and_sent_once(self):
        self.server.refuse_connections()
        p = self.link(**store(self))
        for name in DURABLE:
            self.assertEqual(p.try_call("union." + name, CALLS[name].sample)[0], parklink.QUEUED, "%s: %s" % (name, p.last_error))
        self.back()
        self.assertTrue(self.server.wait(lambda: len(self.server.received) >= len(DURABLE)), [r.name for r in self.server.received])
        self.server.wait(lambda: False, 0.3)
        self.assertEqual(sorted(r.name for r in self.server.received), sorted(DURABLE))

    def test_over_a_restart_in_order(self):
        self.server.refuse_connections()
        options = store(self)
        p = self.link(**options)
        for n in range(3):
            for name in ("addorder", "updateorder"):
                data = dict(CALLS[name].sample, order_id="S%d" % n)
                self.assertEqual(p.try_call("union." + name, data)[0], parklink.QUEUED, p.last_error)
        p.close()
        self.back()
        self.link(**options)
        self.assertTrue(self.server.wait(lambda: len(self.server.received) >= 6))
        for n in range(3):
            self.assertEqual([r.name for r in self.server.received if r.data["order_id"] == "S%d" % n], ["addorder", "updateorder"])

    def test_money_and_questions_are_not_kept(self):
        self.server.refuse_connections()
        p = self.link(**store(self))
        for name in ("etcPayApi", "refund", "bolinkparkpay", "paymonthcard", "queryorders", "lsbind"):
            self.assertEqual(p.try_call("union." + name, CALLS[name].sample)[0], parklink.OFFLINE, name)
        self.back()
        self.server.wait(lambda: self.server.received, 0.5)
        self.assertEqual(self.server.received, [])

    def test_an_unknown_outcome_is_repeated(self):
        """3.1 says that a repeat is answered so: an entry whose answer was lost goes again, by the outbox."""
        p = self.link(**store(self))
        self.server.plan("addorder", fault.close_before())
        code, _ = p.try_call("union.addorder", CALLS["addorder"].sample)
        self.assertIn(code, (parklink.QUEUED, parklink.OK), p.last_error)
        self.assertTrue(self.server.wait(lambda: len(self.server.received) >= 2))
        self.server.wait(lambda: False, 0.3)
        self.assertEqual(len(self.server.received), 2)


class Etcp(EtcpCase):
    def test_a_payment_is_made_now_or_not_at_all(self):
        """8.8 while ETCP cannot be reached: an error at once; nothing is kept, for the driver pays another way by then."""
        server = self.server
        record = server.park(PLATE)
        server.refuse_connections()
        p = self.link(etcp={"phone": self.PHONE, "app_id": "ETCP"}, **store(self))
        code, _ = p.try_call("etcp.orderpaid", paid(record))
        self.assertEqual(code, parklink.OFFLINE, p.last_error)
        server.stop()
        self.server = EtcpServer()
        self.server.parked = server.parked
        self.server.start(server.port)
        self.addCleanup(self.server.stop)
        self.server.wait(lambda: False, 0.5)
        self.assertEqual(self.server.payments, type(self.server.payments)())


if __name__ == "__main__":
    unittest.main()
