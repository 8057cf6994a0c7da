"""What may have been done and was not said: answers of the open API and of ETCP that are neither a yes nor a no, payments
that meet themselves, logins that answer in their own way."""
import socket
import threading
import time
import unittest

import bolink_faults as fault
import parklink
from etcp_server import EtcpServer
from peer_server import dump
from platform_case import EtcpCase, UnionCase
from test_etcp import PLATE, paid
from test_platforms_outbox import store
from union_facts import CALLS


class Payments(EtcpCase):
    def user(self, **more):
        return self.link(etcp=dict({"phone": self.PHONE, "app_id": "ETCP"}, **more))

    def test_a_payment_is_not_made_beside_itself(self):
        """8.8: externalOrderId must never repeat; two threads with one payment are one payment."""
        p, record = self.user(), self.server.park(PLATE)
        self.assertEqual(p.try_call("etcp.orderhistory", {})[0], parklink.OK)
        self.server.plan("orderpaid", fault.late(0.5), times=4)
        codes = []
        threads = [threading.Thread(target=lambda: codes.append(p.try_call("etcp.orderpaid", paid(record))[0])) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(codes), sorted([parklink.OK] + [parklink.INVALID] * 3))
        self.assertEqual(len(self.server.requests("orderpaid")), 1)

    def test_after_a_time_out_it_may_be_made_again(self):
        p, record = self.user(), self.server.park(PLATE)
        self.server.plan("orderpaid", fault.status(504))
        self.assertEqual(p.try_call("etcp.orderpaid", paid(record))[0], parklink.HTTP)
        self.assertEqual(p.try_call("etcp.orderpaid", paid(record))[0], parklink.OK, p.last_error)

    def test_a_gateways_words_are_neither_yes_nor_no(self):
        """Section 10 has every value that ETCP says; with an HTTP error only those are ETCP's, and 0 is none of them."""
        p, record = self.user(), self.server.park(PLATE)
        for n, (status, code, expected) in enumerate((
                (500, 0, parklink.HTTP), (302, 0, parklink.HTTP), (502, 502, parklink.HTTP), (404, 404, parklink.HTTP),
                (429, 429, parklink.HTTP), (500, 6, parklink.REFUSED), (400, 20206, parklink.REFUSED),
                (200, 502, parklink.REFUSED))):
            self.server.plan("orderpaid", fault.status(status, dump({"code": code, "message": "x"})))
            # Another number for the same order needs to know what came of the one before (8.7).
            self.assertEqual(p.try_call("etcp.orderunpay", {"plateNumber": PLATE})[0], parklink.OK, p.last_error)
            found, _ = p.try_call("etcp.orderpaid", paid(record, externalOrderId="N%d" % n))
            self.assertEqual(found, expected, (status, code, p.last_error))

    def test_a_yes_with_a_fraction_is_a_yes(self):
        p = self.user()
        for code, expected in (("0.0", parklink.OK), ("1.0", parklink.REFUSED), ("0.5", parklink.PROTOCOL)):
            self.server.plan("orderhistory", fault.reply('{"code":%s,"message":"x"}' % code))
            self.assertEqual(p.try_call("etcp.orderhistory", {})[0], expected, code)

    def test_the_fee_of_an_order_whose_number_is_one(self):
        p = self.user()
        self.server.plan("orderunpay", fault.reply({"code": 0, "data": [{"orderId": 77, "remainingFee": "3.50"}]}))
        self.assertEqual(p.try_call("etcp.orderunpay", {"plateNumber": PLATE})[0], parklink.OK)
        code, _ = p.try_call("etcp.orderpaid", paid({"orderId": "77", "verificationInfo": "v"}, payment="9"))
        self.assertEqual(code, parklink.INVALID)
        self.assertEqual(self.server.requests("orderpaid"), [])


class OneToken(EtcpServer):
    """Whether a login after its day makes a new token is not documented: this one gives the same again, as a number."""

    def _token(self, phone):
        self.tokens["12345"] = phone
        return 0, {"token": 12345}


class Logins(EtcpCase):
    def make_server(self):
        return OneToken()

    def test_the_same_token_again_is_a_renewal(self):
        p = self.link(etcp={"phone": self.PHONE, "app_id": "ETCP", "token_life_s": 1})
        self.assertEqual(p.try_call("etcp.orderhistory", {})[0], parklink.OK, p.last_error)
        time.sleep(1.1)
        self.assertEqual(p.try_call("etcp.orderhistory", {})[0], parklink.OK, p.last_error)
        self.assertEqual(len(self.server.requests("usersignin")), 2)

    def test_the_code_of_a_text_message_is_not_logged(self):
        p = self.link()
        p.on_log()
        p.call("etcp.uservalidatecode", {"mobilePhone": self.PHONE})
        p.call("etcp.userlogin", {"mobilePhone": self.PHONE, "code": "562371", "appId": "ETCP"})
        self.assertTrue(self.server.wait(lambda: any("etcp < etcp.userlogin" in line for _, line in p.lines)), p.lines)
        text = "\n".join(line for _, line in p.lines)
        self.assertIn("etcp > etcp.userlogin", text)
        self.assertNotIn("562371", text)

    def test_a_login_without_a_token_is_a_refusal(self):
        p = self.link(etcp={"phone": self.PHONE, "app_id": "ETCP"})
        self.server.plan("usersignin", fault.reply({"code": 0, "message": "ok"}))
        self.assertEqual(p.try_call("etcp.orderhistory", {})[0], parklink.LOGIN_REFUSED)


class Charges(UnionCase):
    def test_a_charge_that_a_gateway_gave_up_is_in_doubt(self):
        """"Try again later" is the wrong advice for what may be done already."""
        p = self.link()
        for name in ("etcPayApi", "refund", "bolinkescapePay"):
            self.server.plan(name, fault.status(504, process=True))
            self.assertEqual(p.try_call("union." + name, CALLS[name].sample)[0], parklink.HTTP)
            self.assertIn("not known", p.last_error)
        self.server.plan("etcPayApi", fault.status(403))
        self.assertEqual(p.try_call("union.etcPayApi", CALLS["etcPayApi"].sample)[0], parklink.HTTP)
        self.assertNotIn("not known", p.last_error)

    def test_a_blank_address_is_no_answer(self):
        """3.4 answers with payurl and, as far as seen, nothing else."""
        p = self.link()
        for reply, expected in (({"payurl": ""}, parklink.PROTOCOL), ({"payurl": "https://a"}, parklink.OK)):
            self.server.answered("bolinkparkpay", reply)
            self.assertEqual(p.try_call("union.bolinkparkpay", CALLS["bolinkparkpay"].sample)[0], expected, reply)

    def test_the_outcome_inside_data_counts_text_or_not(self):
        """8.2: code 1 says that the report was read, the state inside data whether it was taken."""
        p = self.link()
        for data, expected in (('{"state":1}', parklink.OK), ('{"state":0}', parklink.REFUSED), ({"state": 0}, parklink.REFUSED),
                               ({"state": "1"}, parklink.OK), ({"state": "x"}, parklink.PROTOCOL), ({}, parklink.OK)):
            self.server.answered("personRecord", {"code": 1, "message": u"成功", "data": data})
            self.assertEqual(p.try_call("union.personRecord", CALLS["personRecord"].sample)[0], expected, data)
        self.server.answered("personRecord", {"code": 1, "message": u"成功", "data": u'{"state":0,"message":"人员不存在"}'})
        code, reply = p.try_call("union.personRecord", CALLS["personRecord"].sample)
        self.assertEqual((code, reply["errmsg"], reply["message"]), (parklink.REFUSED, u"人员不存在", u"成功"))
        self.assertIn(u"人员不存在", p.last_error)

    def test_an_entry_that_was_there_already_arrived(self):
        """3.1: a repeat is answered with a message saying the order already exists. After a lost answer that is a yes."""
        p = self.link(**store(self))
        self.server.plan("addorder", fault.close_before())
        self.server.answered("addorder", {"state": 0, "errmsg": u"该订单已经存在"})
        self.assertEqual(p.try_call("union.addorder", CALLS["addorder"].sample)[0], parklink.QUEUED)
        self.assertTrue(self.server.wait(lambda: len(self.server.received) >= 2))
        self.assertTrue(self.settled(p, 0))
        # Of one that was never sent before it is a no.
        self.server.answered("addorder", {"state": 0, "errmsg": u"该订单已经存在"})
        other = dict(CALLS["addorder"].sample, order_id="another")
        self.assertEqual(p.try_call("union.addorder", other)[0], parklink.REFUSED)

    def settled(self, p, dead):
        end = time.monotonic() + 3
        while time.monotonic() < end:
            total = p.status()["outbox"]["total"]
            if not total["records"]:
                return total["dead"] == dead
            time.sleep(0.02)
        return False

    def test_connecting_ends_in_its_time_with_tls_too(self):
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen(8)
            p = self.link(union={"base": "https://127.0.0.1:%d" % deaf.getsockname()[1], "connect_timeout_ms": 200,
                                 "request_timeout_ms": 20000})
            before = time.monotonic()
            self.assertEqual(p.try_call("union.etcPayApi", CALLS["etcPayApi"].sample)[0], parklink.OFFLINE, p.last_error)
            self.assertLess(time.monotonic() - before, 10)


if __name__ == "__main__":
    unittest.main()
