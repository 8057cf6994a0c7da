"""What the sandbox's later platforms push, received by a referee written from the documents (API 5; ETCP 9)."""
import time
import unittest
from decimal import Decimal

import bolink_faults as fault
from push_facts import pushes
from push_referee import OTHERS, PushReferee
from raw_platforms import RawEtcp
from sandbox_etcp_control import Control
from test_sandbox_union import ETC, UnionCase

SPEED = 50  # a repeat after 10 s comes after 0.2 s


class PushCase(UnionCase):
    allowed = ()
    FLAGS = ("--push-speed", str(SPEED), "--pay-delay", "50")

    def setUp(self):
        UnionCase.setUp(self)
        self.referee = PushReferee().start()
        self.addCleanup(self.referee.stop)
        self.control = Control(self.sandbox)
        self.control.ask("/push-url", {"union": self.referee.base + "/union", "etcp": self.referee.base + "/etcp"})
        self.addCleanup(self.control.ask, "/push-url", {"union": "", "etcp": ""})

    def tearDown(self):
        self.referee.check(self.allowed)

    def pushed(self, name, member, value, count=1, timeout=4.0):
        """The pushes of this kind about this value."""
        def found():
            return [r for r in self.referee.requests(name) if r.data.get(member) == value]
        self.referee.wait(lambda: len(found()) >= count, timeout)
        self.assertGreaterEqual(len(found()), count, "%s of %s: %s" % (name, value, [
            (r.name, r.text[:200]) for r in self.referee.received][-5:]))
        return found()


    def serial(self):
        return "2017092%d" % (time.time() * 1e6)

    def order_payment(self, serial, **more):
        """3.4, by scan."""
        data = {"title": u"支付停车费", "park_id": "21782", "amount": "0.50", "order_id": "A1", "car_number": u"京A1", "in_time": 1,
                "trade_no": serial, "channel": "weixin", "pay_type": 0, "time_temp": "1"}
        self.client.call("bolinkparkpay", dict(data, **more))

    def scanned(self, entry):
        """The platform asks for the price of this order."""
        self.control.ask("/driver/scan", {"link": "union", "order_id": entry["order_id"], "car_number": entry["car_number"],
                                          "pay_scene": 0})
        return self.pushed("query_price", "order_id", entry["order_id"])[0]


class Pushes(PushCase):
    def test_after_an_entry(self):
        """3.1: after a successful upload the plate's status is pushed (5.2)."""
        for _ in range(3):
            entry = self.entered()
            self.pushed("notice_car_owner", "order_id", entry["order_id"])
        self.assertEqual(len(set(self.referee.rands)), len(self.referee.rands), "rand does not repeat")

    def test_electronic_exit(self):
        """3.2 by wallet: the final result comes as 5.5."""
        entry = self.entered()
        self.control.ask("/electronic", {"answer": "paid"})
        self.leave(entry, pay_type="wallet")
        push = self.pushed("outpark", "order_id", entry["order_id"])[0]
        self.assertEqual((int(push.data["state"]), push.data["pay_type"]), (1, "wallet"))
        self.control.ask("/electronic", {"answer": "auto"})

    def test_etc_pending(self):
        """3.7 state 2 of the cloud box: 5.5 with pay_type etc, paid or not."""
        for result, state in (("paid", 1), ("refused", 0)):
            entry = self.entered()
            self.control.ask("/etc", {"answer": "pending", "result": result})
            word, answer = self.said("etcPayApi", dict(ETC, pay_type="jyyh", order_id=entry["order_id"],
                                                       car_number=entry["car_number"]))
            self.assertEqual(word, 2, answer)
            push = self.pushed("outpark", "order_id", entry["order_id"])[0]
            self.assertEqual((int(push.data["state"]), push.data["pay_type"]), (state, "etc"))
        self.control.ask("/etc", {"answer": "paid"})

    def test_price_and_prepayment(self):
        """5.1 asks, 5.3 tells of the payment with the number of the query."""
        entry = self.entered()
        asked = self.scanned(entry)
        self.control.ask("/driver/pay", {"link": "union", "query_order_no": asked.data["query_order_no"]})
        paid = self.pushed("prepay_order", "order_id", entry["order_id"])[0]
        self.assertEqual((paid.data["query_order_no"], Decimal(str(getattr(paid.data["prepay"], "text", paid.data["prepay"])))),
                         (asked.data["query_order_no"], Decimal("6.00")))

    def test_short_stay_payment(self):
        """3.4 by scan: 5.10 with the vendor's serial in trade_no and the platform's in out_trade_no; then 4.2 and 5.6."""
        entry, serial = self.entered(), self.serial()
        self.order_payment(serial, order_id=entry["order_id"], car_number=entry["car_number"], description="a=1")
        self.control.ask("/driver/settle", {"trade_no": serial})
        push = self.pushed("plat_unified_order", "trade_no", serial)[0]
        self.assertEqual((int(push.data["state"]), push.data["amount"], push.data["description"]), (1, "0.50", "a=1"))
        amount, credited, fee = (Decimal(push.data[m]) for m in ("amount", "receipt_amount", "pay_platform_fee"))
        self.assertEqual(amount, credited + fee)

    def test_own_address(self):
        """notify_url of the call overrides the configured address; it has no query."""
        serial = self.serial()
        self.order_payment(serial, notify_url=self.referee.base + "/own/address")
        self.control.ask("/driver/settle", {"trade_no": serial})
        self.assertEqual(self.pushed("plat_unified_order", "trade_no", serial)[0].path, "/own/address")

    def test_month_card(self):
        """3.3: 5.8 goes to notify_url; here out_trade_no is the vendor's serial, the reverse of 5.11."""
        serial = self.serial()
        self.ok("paymonthcard", {"park_id": "21782", "amount": "0.01", "trade_no": serial, "time_temp": "1533035031600",
                                 "notify_url": self.referee.base + "/month", "card_id": "C1", "attach": {"order_id": "abc"}})
        self.control.ask("/driver/settle", {"trade_no": serial})
        push = self.pushed("monthcard_pay", "out_trade_no", serial)[0]
        self.assertEqual((push.path, push.data["attach"]), ("/month", '{"order_id":"abc"}'))
        self.assertNotEqual(push.data["trade_no"], serial)

    def test_escaped_order(self):
        """3.9: 5.11; the order is escaped no more."""
        entry, serial = self.entered(), self.serial()
        self.leave(entry, pay_type="escape", total="7.50")
        self.said("bolinkescapePay", {"title": u"逃单补缴", "park_id": "21782", "order_id": entry["order_id"],
                                      "car_number": entry["car_number"], "trade_no": serial, "channel": "weixin", "pay_type": 0, "time_temp": "1490875218"})
        self.control.ask("/driver/settle", {"trade_no": serial})
        push = self.pushed("plat_escape_order", "trade_no", serial)[0]
        self.assertEqual(Decimal(push.data["amount"]), Decimal("7.5"))
        found = self.ok("queryescape", {"park_id": "21782", "car_number": entry["car_number"], "time_temp": "1625209740"})
        self.assertEqual(found.get("escapeOrder") or [], [])

    def test_refund(self):
        """4.2 in progress: 5.6 tells the end."""
        entry = self.entered()
        asked = self.scanned(entry)
        self.control.ask("/driver/pay", {"link": "union", "query_order_no": asked.data["query_order_no"]})
        paid = self.pushed("prepay_order", "order_id", entry["order_id"])[0]
        refund = {"park_id": "21782", "trade_no": paid.data["trade_no"], "refund_money": 1.00, "refund_reason": u"重复扣费"}
        word, answer = self.said("refund", refund)
        self.assertIn(word, (True, 2), answer)
        self.assertEqual(answer["trade_no"], refund["trade_no"])
        if word == 2:
            push = self.pushed("refund", "trade_no", refund["trade_no"])[0]
            self.assertEqual([float(push.data[m]) for m in ("state", "refund_money", "account_type")], [1, 1, 0])
        self.assertIs(self.said("refund", dict(refund, refund_money=100.0))[0], False, "more than was paid")

    def test_red_packet(self):
        """3.10: 5.12 comes as the packet is sent, and again as it is taken."""
        serial = "R2021%d" % (time.time() * 1e6)
        self.ok("getWxRedPacketUrlNew", {"park_id": "21782", "amount": "1.58", "trade_no": serial, "timestamp": 1617937469,
                                         "order_id": "A1", "car_number": u"京A1"})
        self.control.ask("/driver/settle", {"trade_no": serial})
        self.pushed("recharge", "trade_no", serial)
        self.control.ask("/driver/packet", {"trade_no": serial, "state": 2})
        sent = self.pushed("recharge", "trade_no", serial, 2)
        self.assertEqual([int(p.data["state"]) for p in sent], [1, 2])


class Repeats(PushCase):
    """Payment messages without an answer are sent again after 10, 20, 30, 40, 50, 80, 120, 160, 200 and 300 s."""

    def paid(self):
        serial = self.serial()
        self.order_payment(serial)
        self.control.ask("/driver/settle", {"trade_no": serial})
        return serial

    def test_until_it_is_answered(self):
        """5.10, 5.11: again until the vendor answers state 1, then no more."""
        steps = (fault.status(500), fault.close_before(), fault.reply({"state": 0}), fault.reply(u"garbage"))
        for step in steps:
            self.referee.plan("plat_unified_order", step)
        serial = self.paid()
        self.pushed("plat_unified_order", "trade_no", serial, len(steps) + 1, timeout=8)
        time.sleep(1.5)
        sent = self.pushed("plat_unified_order", "trade_no", serial)
        self.assertEqual(len(sent), len(steps) + 1)
        self.assertEqual(len({p.text for p in sent}), 1, "the same message each time")

    def test_pauses(self):
        self.referee.plan("plat_unified_order", fault.status(500), times=4)
        serial = self.paid()
        at = [p.at for p in self.pushed("plat_unified_order", "trade_no", serial, 5, timeout=8)]
        for pause, expected in zip((b - a for a, b in zip(at, at[1:])), (10, 20, 30, 40)):
            self.assertGreater(pause, expected / SPEED * 0.9)
            self.assertLess(pause, expected / SPEED + 1.0)

    def test_wrong_signatures_on_demand(self):
        self.allowed = ("wrong_sign",)
        self.control.ask("/faults", {"platform": "union", "kind": "wrong_sign", "count": 1})
        entry = self.entered()
        self.pushed("notice_car_owner", "order_id", entry["order_id"])
        self.assertIn("wrong_sign", self.referee.broken_rules())


class Etcp(PushCase):
    def test_entry_and_exit(self):
        """9.1, 9.2: for cars of the merchant's users; one synId for the stay; fen, seconds, Beijing's time."""
        client = RawEtcp(self.sandbox.etcp)
        self.addCleanup(client.close)
        token = client.done("usersignin", {"mobilePhone": "13700000001", "appId": "ETCP"})["token"]
        client.done("bindcar", {"token": token, "plateNumber": u"渝P00001"})
        self.control.enter(u"渝P00001", minutes_ago=90)
        entry = self.pushed("car_in", "plateNumber", u"渝P00001")[0]
        fee = client.done("orderunpay", {"token": token, "plateNumber": u"渝P00001"})[0]
        self.control.leave(u"渝P00001")
        left = self.pushed("car_out", "plateNumber", u"渝P00001")[0]
        self.assertEqual(left.data["synId"], entry.data["synId"])
        entrance, leaving = (time.mktime(time.strptime(left.data[m], "%Y-%m-%d %H:%M:%S")) for m in ("entranceTime", "exitTime"))
        self.assertEqual(int(left.data["stayedTime"]), leaving - entrance)
        self.assertEqual(int(left.data["receivableFee"]), Decimal(str(fee["parkingFee"])) * 100)
        self.assertEqual((entry.data["fixParkingId"], entry.data["remainingDays"]), ("", ""), "empty for temporary users")

    def test_readings(self):
        """What is signed is not settled (9): each reading is a setting, and each fits its own."""
        client = RawEtcp(self.sandbox.etcp)
        self.addCleanup(client.close)
        self.addCleanup(self.control.ask, "/etcp/settings", {"push_sign": "text"})
        for n, reading in enumerate(("text", "remade", "form")):
            phone, plate = "1370000001%d" % n, u"渝P0001%d" % n
            token = client.done("usersignin", {"mobilePhone": phone, "appId": "ETCP"})["token"]
            client.done("bindcar", {"token": token, "plateNumber": plate})
            self.referee.reading = reading
            self.control.ask("/etcp/settings", {"push_sign": reading})
            self.control.enter(plate)
            self.pushed("car_in", "plateNumber", plate)
            self.control.leave(plate)
            self.pushed("car_out", "plateNumber", plate)

    def test_not_of_this_merchant(self):
        """FAQ: for cars of the merchant's users."""
        self.control.enter(u"渝P00020")
        self.referee.wait(lambda: self.referee.received, 0.5)
        self.assertEqual(self.referee.received, [])


class ByHand(PushCase):
    def test_any_message(self):
        """What comes from the city, the lot's owner, other platforms (5.13, 5.14, 11.1 to 11.7)."""
        for push in pushes(7):
            if push.name in OTHERS:
                self.control.ask("/downlink", {"link": "union", "message": dict(push.data, service_name=push.name)})
                self.assertTrue(self.referee.wait(lambda: self.referee.requests(push.name)), push.name)
                sent = self.referee.last(push.name).data
                for member, value in push.data.items():
                    self.assertEqual(sent.get(member), value, member)

    def test_repeats_on_demand(self):
        self.control.ask("/faults", {"platform": "union", "kind": "push_again", "value": 2, "count": 1})
        entry = self.entered()
        sent = self.pushed("notice_car_owner", "order_id", entry["order_id"], 3)
        self.assertEqual(len({r.text for r in sent}), 1)
        del self.referee.rands[:]

    def test_arrears_in_the_mini_program(self):
        """5.9 tells of an escaped order that was paid."""
        entry = self.entered()
        self.leave(entry, pay_type="escape", total="7.50")
        self.control.ask("/driver/repair", {"order_id": entry["order_id"]})
        push = self.pushed("repair", "order_id", entry["order_id"])[0]
        self.assertEqual((int(push.data["state"]), push.data["pay_type"], float(push.data["total"])), (1, "repair", 7.5))


if __name__ == "__main__":
    unittest.main()
