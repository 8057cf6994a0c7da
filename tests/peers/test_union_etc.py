"""etc_pay by the open API (API 3.7): the rules of each ETC provider, pending charges, nothing charged twice."""
import unittest

import bolink_faults as fault
import parklink
from platform_case import UnionCase
from union_facts import ETC, ETC_MY, ETC_PAID

MY = dict(ETC, pay_type="my", **ETC_MY)
COLOURS = {"my": (0, 1, 2, 3, 4, 5), "cj": (0, 1, 2, 3, 4, 5, 6, 9, 11, 13)}  # the two tables of 3.7


class EtcPay(UnionCase):
    def pay(self, p, data):
        return p._call("etc_pay", parklink._bytes(data))

    def test_goes_by_the_open_api(self):
        """With the option, and without one where there is no cloud link."""
        for more in ({}, {"etc": {"by": "union"}}):
            p = self.link(**more)
            code, reply = self.pay(p, MY)
            self.assertEqual((code, reply["state"], reply["trade_no"]), (parklink.OK, 1, "etc2021"), p.last_error)
            self.assertEqual(self.server.last("etcPayApi").data["total"], "0.02")

    def test_by_the_cloud_and_no_cloud(self):
        p = self.link(etc={"by": "sdk"})
        self.assertEqual(self.pay(p, MY)[0], parklink.NOT_CONFIGURED)
        self.assertEqual(self.server.received, [])

    def test_the_same_by_call(self):
        p = self.link()
        self.assertEqual(p.try_call("union.etcPayApi", MY)[0], parklink.OK)

    def test_providers(self):
        p = self.link()
        for provider in ("cj", "jyyh", "ystx"):
            self.assertEqual(self.pay(p, dict(ETC, pay_type=provider))[0], parklink.OK, provider)
        for provider in ("MY", "etc", "", "wallet"):
            self.assertEqual(self.pay(p, dict(MY, pay_type=provider))[0], parklink.INVALID, provider)
        self.assertEqual(len(self.server.received), 3)

    def test_what_ant_smart_travel_needs(self):
        """pay_type my: empty_plot, total_original and the two pictures."""
        p = self.link()
        for member in ETC_MY:
            code, _ = self.pay(p, {m: v for m, v in MY.items() if m != member})
            self.assertEqual(code, parklink.INVALID, member)
            self.assertIn(member, p.last_error)
        self.assertEqual(self.server.received, [])

    def test_the_provider_of_the_lot(self):
        """The table asks for pay_type: it comes from the record or from the option, or nothing is sent."""
        without = {m: v for m, v in MY.items() if m != "pay_type"}
        self.assertEqual(self.pay(self.link(), without)[0], parklink.INVALID)
        self.assertEqual(self.server.received, [])
        p = self.link(etc={"pay_type": "my"})
        self.assertEqual(self.pay(p, without)[0], parklink.OK, p.last_error)
        self.assertEqual(self.server.last("etcPayApi").data["pay_type"], "my")
        self.assertEqual(self.pay(p, dict(ETC, pay_type="cj"))[0], parklink.OK)
        self.assertEqual(self.server.last("etcPayApi").data["pay_type"], "cj")
        del without["empty_plot"]
        self.assertEqual(self.pay(p, without)[0], parklink.INVALID, "the rules of my hold for the option's my too")

    def test_plate_colours(self):
        """Two tables: 4 and 5 differ, 2 and 3 swap, and only cj has 6, 9, 11, 13."""
        p = self.link()
        for provider, colours in COLOURS.items():
            for colour in range(0, 16):
                code, _ = self.pay(p, dict(MY, pay_type=provider, license_color=colour))
                self.assertEqual(code, parklink.OK if colour in colours else parklink.INVALID, (provider, colour))
        self.assertEqual(self.pay(p, dict(MY, license_color="5"))[0], parklink.OK)
        self.assertEqual(self.pay(p, dict(MY, license_color="6"))[0], parklink.INVALID)

    def test_refused(self):
        p = self.link()
        self.server.answered("etcPayApi", {"state": 0, "errmsg": u"余额不足"})
        code, reply = self.pay(p, MY)
        self.assertEqual((code, reply["errmsg"]), (parklink.REFUSED, u"余额不足"))
        self.assertIn(u"余额不足", p.last_error)

    def test_pending(self):
        p = self.link()
        self.server.answered("etcPayApi", {"state": 2, "errmsg": u"扣费中", "order_id": "9009"})
        code, reply = self.pay(p, dict(ETC, pay_type="jyyh"))
        self.assertEqual((code, reply["state"], reply["order_id"]), (parklink.PENDING, 2, "9009"))

    def test_pending_as_text(self):
        p = self.link()
        self.server.answered("etcPayApi", {"state": "2"})
        self.assertEqual(self.pay(p, dict(ETC, pay_type="jyyh"))[0], parklink.PENDING)

    def test_an_unknown_state_is_not_paid(self):
        p = self.link()
        for state in (3, -1, "1.5", True, None, [], {}, ""):
            self.server.answered("etcPayApi", dict(ETC_PAID, state=state))
            code, _ = self.pay(p, MY)
            self.assertNotIn(code, (parklink.OK, parklink.PENDING), repr(state))

    def test_never_twice(self):
        """A charge whose outcome is not known is never sent again by the library."""
        p = self.link()
        self.assertEqual(self.pay(p, MY)[0], parklink.OK)
        for step in (fault.close_before(), fault.status(500, process=True), fault.status(503, "", [("Retry-After", "0")]),
                     fault.truncated(), fault.reply(u"{"), fault.late(1.6)):
            before = len(self.server.received)
            self.server.plan("etcPayApi", step)
            code, _ = self.pay(p, MY)
            self.assertNotEqual(code, parklink.OK)
            self.assertEqual(len(self.server.received), before + 1)


if __name__ == "__main__":
    unittest.main()
