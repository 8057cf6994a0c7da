"""The library against ETCP's referee: tokens that are kept and renewed, payments that are right and made once."""
import unittest

import bolink_faults as fault
import parklink
from etcp_server import exact_dump
from platform_case import UNSURE, EtcpCase
from test_etcp import PLATE, paid


class Tokens(EtcpCase):
    def names(self):
        return [r.name for r in self.server.received]

    def joint(self, **more):
        """The merchant vouches for one user; the link logs it in by itself."""
        return self.link(etcp=dict({"phone": self.PHONE, "app_id": "ETCP"}, **more))

    def test_log_in_once_call_many(self):
        p = self.joint()
        for _ in range(5):
            self.assertEqual(p.try_call("etcp.orderhistory", {})[0], parklink.OK, p.last_error)
        self.assertEqual(self.names(), ["usersignin"] + ["orderhistory"] * 5)
        self.assertEqual(self.server.received[0].data, {"mobilePhone": self.PHONE, "appId": "ETCP"})

    def test_many_at_a_time_log_in_once(self):
        """Calling again makes a new token and only the last one counts: two logins side by side would end each other."""
        p = self.joint()
        self.server.plan("usersignin", fault.late(0.2), times=5)
        calls = [self.beside(p.try_call, "etcp.orderhistory", {}) for _ in range(8)]
        for call in calls:
            self.assertEqual(call.wait()[0], parklink.OK)
        self.assertEqual(self.names().count("usersignin"), 1)

    def test_renewed_when_refused(self):
        """20101: one new login, the call again, and nothing of it shows."""
        p = self.joint()
        p.call("etcp.orderhistory", {})
        self.server.kill_tokens()
        self.assertEqual(p.try_call("etcp.bindcar", {"plateNumber": PLATE})[0], parklink.OK, p.last_error)
        self.assertEqual(self.names(), ["usersignin", "orderhistory", "bindcar", "usersignin", "bindcar"])
        self.assertEqual(self.server.plates, {self.PHONE: [PLATE]})

    def test_renewed_once_for_many(self):
        p = self.joint()
        p.call("etcp.orderhistory", {})
        self.server.kill_tokens()
        calls = [self.beside(p.try_call, "etcp.orderhistory", {}) for _ in range(8)]
        for call in calls:
            self.assertEqual(call.wait()[0], parklink.OK)
        self.assertEqual(self.names().count("usersignin"), 2)

    def test_no_storm_of_logins(self):
        """A platform that refuses every token gets one more login a call, not a loop."""
        p = self.joint()
        self.server.refused("orderhistory", 20101, times=1000)
        code, reply = p.try_call("etcp.orderhistory", {})
        self.assertIn(code, (parklink.REFUSED, parklink.LOGIN_REFUSED), p.last_error)
        self.assertIn("20101", p.last_error)
        self.assertLessEqual(len(self.server.received), 5)

    def test_a_refused_login(self):
        p = self.joint()
        self.server.refused("usersignin", 20201, times=1000)
        code, _ = p.try_call("etcp.bindcar", {"plateNumber": PLATE})
        self.assertIn(code, (parklink.LOGIN_REFUSED, parklink.REFUSED))
        self.assertIn("20201", p.last_error)
        self.assertNotIn("bindcar", self.names())

    def test_life_of_a_token(self):
        """8.3 says a day and the FAQ thirty: it is an option."""
        p = self.joint(token_life_s=1)
        p.call("etcp.orderhistory", {})
        self.steady(lambda: (len(set(r.data["token"] for r in self.server.requests("orderhistory"))),
                             p.try_call("etcp.orderhistory", {})), (2,), 3.0)
        self.assertLessEqual(self.names().count("usersignin"), 3)
        self.assertEqual(self.server.broken_rules(), [])

    def test_the_last_login_counts(self):
        """The software logs the user in again: later calls use the new token."""
        p = self.joint()
        p.call("etcp.orderhistory", {})
        p.call("etcp.usersignin", {"mobilePhone": self.PHONE, "appId": "ETCP"})
        self.assertEqual(p.try_call("etcp.orderhistory", {})[0], parklink.OK)
        self.assertEqual(self.names(), ["usersignin", "orderhistory", "usersignin", "orderhistory"])

    def test_a_login_by_code_is_kept(self):
        p = self.link()
        p.call("etcp.uservalidatecode", {"mobilePhone": self.PHONE})
        p.call("etcp.userlogin", {"mobilePhone": self.PHONE, "code": "562371", "appId": "ETCP"})
        for _ in range(3):
            self.assertEqual(p.try_call("etcp.orderhistory", {"mobilePhone": self.PHONE})[0], parklink.OK, p.last_error)
        self.assertEqual(self.names(), ["uservalidatecode", "userlogin"] + ["orderhistory"] * 3)

    def test_a_login_by_code_cannot_be_repeated(self):
        """Its token dies: no joint login in its place (a code was asked for because the phone is not vouched for)."""
        p = self.link(etcp={"app_id": "ETCP"})
        p.call("etcp.uservalidatecode", {"mobilePhone": self.PHONE})
        p.call("etcp.userlogin", {"mobilePhone": self.PHONE, "code": "562371"})
        self.server.kill_tokens()
        code, _ = p.try_call("etcp.orderhistory", {"mobilePhone": self.PHONE})
        self.assertIn(code, (parklink.REFUSED, parklink.LOGIN_REFUSED))
        self.assertIn("20101", p.last_error)
        self.assertEqual(self.names(), ["uservalidatecode", "userlogin", "orderhistory"])

    def test_a_token_of_the_software_is_not_renewed(self):
        p = self.joint()
        code, reply = p.try_call("etcp.orderhistory", {"token": "foreign"})
        self.assertIn(code, (parklink.REFUSED, parklink.LOGIN_REFUSED))
        self.assertEqual(self.names(), ["orderhistory"])

    def test_parks_need_no_token(self):
        p = self.joint()
        self.assertEqual(p.try_call("etcp.parkingstatus", {"parkingId": "1"})[0], parklink.OK)
        self.assertEqual(self.names(), ["parkingstatus"])


class Payments(EtcpCase):
    def setUp(self):
        EtcpCase.setUp(self)
        self.p = self.link(etcp={"phone": self.PHONE, "app_id": "ETCP"})
        self.record = self.server.park(PLATE, "8.10")

    def pay(self, **more):
        return self.p.try_call("etcp.orderpaid", paid(self.record, **dict({"payment": "8.10"}, **more)))

    def fee(self):
        return self.p.try_call("etcp.orderunpay", {"plateNumber": PLATE})

    def test_the_day_of_a_user(self):
        self.assertEqual(self.p.try_call("etcp.bindcar", {"plateNumber": PLATE})[0], parklink.OK)
        code, reply = self.fee()
        self.assertEqual((code, reply["data"][0]["orderId"]), (parklink.OK, self.record["orderId"]))
        code, reply = self.pay()
        self.assertEqual((code, reply["data"]["payOrderId"]), (parklink.OK, "no1"), self.p.last_error)
        code, reply = self.fee()
        self.assertEqual((code, reply["data"][0]["remainingFee"]), (parklink.OK, 0))

    def test_a_car_that_is_in_no_park(self):
        code, reply = self.p.try_call("etcp.orderunpay", {"plateNumber": u"渝B00000"})
        self.assertEqual((code, reply["data"]), (parklink.OK, []))

    def test_digits(self):
        """The fee comes with its digits, and the amount goes out with its own."""
        self.fee()
        self.assertIn('"remainingFee":8.10', self.p.last_text.replace(" ", ""))
        self.assertEqual(self.pay(payment="8.1")[0], parklink.OK, self.p.last_error)
        self.assertEqual(self.server.last("orderpaid").data["payment"], "8.1")

    def test_a_number_is_taken_too(self):
        text = exact_dump(dict(paid(self.record), payment=self.record["remainingFee"]))
        code, _ = self.p.try_call("etcp.orderpaid", text)
        self.assertEqual(code, parklink.OK, self.p.last_error)
        self.assertEqual(self.server.last("orderpaid").data["payment"], "8.10")

    def test_not_what_is_due(self):
        """The payment must equal the remaining fee: not more, not less, compared as decimals."""
        self.fee()
        for wrong in ("8", "8.11", "8.100000000000001", "0", "81.0"):
            code, reply = self.pay(payment=wrong)
            self.assertIn(code, (parklink.INVALID, parklink.REFUSED), wrong)
        self.assertEqual(self.server.payments, [])
        self.assertEqual(self.pay(payment="8.100")[0], parklink.OK, self.p.last_error)

    def test_not_what_is_due_by_the_platform(self):
        """No fee was asked for: the platform says 20206."""
        code, reply = self.pay(payment="7")
        self.assertEqual((code, reply["code"]), (parklink.REFUSED, 20206))
        self.assertIn("20206", self.p.last_error)

    def test_no_amount(self):
        for wrong in ("-1", "1e1", "8,10", "", " 8.10", "eight", "NaN", "+8.10", ".5"):
            with self.subTest(wrong):
                self.assertEqual(self.pay(payment=wrong)[0], parklink.INVALID)
        self.assertEqual(self.server.requests("orderpaid"), [])

    def test_pay_time(self):
        for wrong in ("20170612095858", "2017-06-12", "2017-06-12T09:58:58", "2017-13-12 09:58:58", "now", ""):
            with self.subTest(wrong):
                self.assertEqual(self.pay(payTime=wrong)[0], parklink.INVALID)
        self.assertEqual(self.server.requests("orderpaid"), [])

    def test_an_external_order_is_never_repeated(self):
        self.assertEqual(self.pay()[0], parklink.OK)
        other = self.server.park(u"渝B00001", "3")
        code, _ = self.p.try_call("etcp.orderpaid", paid(other, payment="3"))
        self.assertEqual(code, parklink.INVALID, self.p.last_error)
        self.assertIn("externalOrderId", self.p.last_error)
        self.assertEqual(len(self.server.requests("orderpaid")), 1)

    def test_after_a_refusal(self):
        """20206 says that nothing was booked: the right amount follows under another number."""
        self.assertEqual(self.pay(payment="7")[0], parklink.REFUSED)
        self.assertEqual(self.pay(externalOrderId="another")[0], parklink.OK, self.p.last_error)

    def test_a_lost_answer_is_not_paid_again(self):
        """Whether it was booked is not known, and the link does not send it again by itself."""
        self.fee()
        for step in (fault.close_before(), fault.truncated(), fault.late(1.5), fault.reply(u"{}"), fault.status(500)):
            record = self.server.park(PLATE, "8.10")
            before = len(self.server.requests("orderpaid"))
            self.server.plan("orderpaid", step)
            code, _ = self.p.try_call("etcp.orderpaid", paid(record, payment="8.10", externalOrderId=self.fresh("E")))
            self.assertIn(code, UNSURE, self.p.last_error)
            self.assertEqual(len(self.server.requests("orderpaid")), before + 1)

    def test_the_same_payment_may_be_sent_again(self):
        """After an outcome that is not known: the same number for the same payment, and for nothing else."""
        self.server.plan("orderpaid", fault.close_before(process=False))
        self.assertIn(self.pay()[0], UNSURE)
        self.assertEqual(self.pay(payment="8.11")[0], parklink.INVALID)
        self.assertEqual(self.pay()[0], parklink.OK, self.p.last_error)
        self.assertEqual(self.pay()[0], parklink.INVALID, "it is paid")
        self.assertEqual(len(self.server.payments), 1)

    def test_a_payment_across_a_dead_token(self):
        """20101 is an answer: nothing was booked, so the payment goes again with the new token, once."""
        self.fee()
        self.server.kill_tokens()
        self.assertEqual(self.pay()[0], parklink.OK, self.p.last_error)
        self.assertEqual(len(self.server.payments), 1)

    def test_errors_of_orders(self):
        for code in (7, 8, 20100, 20206):
            self.server.refused("orderpaid", code)
            result, reply = self.pay(externalOrderId=self.fresh("E"))
            self.assertEqual((result, reply["code"]), (parklink.REFUSED, code))


if __name__ == "__main__":
    unittest.main()
