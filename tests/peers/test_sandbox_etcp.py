"""The sandbox's ETCP against a client written from the document and its FAQ (ETCP 4, 5, 8, 10)."""
import time
import unittest
import uuid
from decimal import Decimal

from etcp_server import CALLS, CODES, beijing, sign, stamp
from raw_platforms import RawEtcp
from sandbox_case import SandboxCase
from sandbox_etcp_control import Control

PLACE = {"lat": "39.87274", "lon": "116.429718", "radius": "3000"}


class EtcpCase(SandboxCase):
    def setUp(self):
        if not self.sandbox.etcp:
            self.skipTest("this sandbox has no ETCP")
        self.client = self.raw()
        self.control = Control(self.sandbox)

    def raw(self):
        client = RawEtcp(self.sandbox.etcp)
        self.addCleanup(client.close)
        return client

    phones = 13900000000

    def phone(self):
        EtcpCase.phones += 1
        return str(EtcpCase.phones)

    def plate(self):
        return u"渝B%05d" % int(self.fresh("").lstrip("T") or 0)

    def fresh(self, prefix=""):
        SandboxCase.counter += 1
        return "%s%d" % (prefix, SandboxCase.counter)

    def joint(self, phone=None):
        return self.client.done("usersignin", {"mobilePhone": phone or self.phone(), "appId": "ETCP"})["token"]

    def code(self, name, data, **how):
        """The value of section 10 that this call gets."""
        status, answer = self.client.call(name, data, **how)
        self.assertEqual(status, 200, answer)
        self.assertIsInstance(answer.get("code"), int, answer)
        self.assertTrue(answer.get("message"), answer)
        return answer["code"]

    def assertCode(self, code, name, data, **how):
        status, answer = self.client.call(name, data, **how)
        self.assertEqual((status, answer.get("code")), (200, code), answer)


class Wire(EtcpCase):
    def test_methods(self):
        """Section 8 fixes the method of each call."""
        token = self.joint()
        for name, (section, method, _) in CALLS.items():
            other = "GET" if method == "POST" else "POST"
            with self.subTest(name, section=section):
                data = {"token": token, "parkingId": "x", "mobilePhone": self.phone(), "appId": "E", "plateNumber": self.plate(),
                        "code": "1", "city": u"北京市"}
                status, answer = self.client.call(name, data, method=other)
                self.assertFalse(status == 200 and isinstance(answer, dict) and answer.get("code") == 0, answer)

    def test_type_of_the_answers(self):
        _, headers, _ = self.client.push("/merchant/open/1.0.0/openapi/parkingstatus", "x=1",
                                         content_type="application/x-www-form-urlencoded;charset=utf-8")
        self.assertTrue(headers["content-type"].lower().startswith("application/json"), headers)

    def test_general_errors(self):
        """5 unknown merchant, 3 old time stamp, 4 wrong signature, 20102 or 6 a member that is missing, 20101 no such token."""
        data = {"token": self.joint()}
        self.assertCode(0, "orderhistory", data)
        self.assertCode(5, "orderhistory", data, merchant_no="nobody")
        self.assertCode(4, "orderhistory", data, key="wrong")
        self.assertCode(4, "orderhistory", data, sign_as="0" * 32)
        self.assertCode(3, "orderhistory", data, time_stamp=stamp(beijing(86400)))
        self.assertCode(3, "orderhistory", data, time_stamp=stamp(beijing(-86400)))
        self.assertCode(20101, "orderhistory", {"token": str(uuid.uuid4())})
        self.assertIn(self.code("orderhistory", {}), (6, 20102))
        for text in ("", "{", "[]", "null", "1"):
            self.assertIn(self.code("parkingstatus", text), (6, 20102), text)

    def test_beijing_time(self):
        """UTC is eight hours off and therefore old."""
        self.assertCode(3, "surroundingparking", PLACE, time_stamp=stamp(beijing(8 * 3600)))
        for moment in ("", "20170721", "2017-07-21 13:24:52", "x" * 14, "20261399999999"):
            if moment:
                self.assertIn(self.code("surroundingparking", PLACE, time_stamp=moment), (3, 6), moment)

    def test_all_four_parameters(self):
        for name in ("merchant_no", "time_stamp", "sign", "data"):
            self.assertIn(self.code("parkingstatus", {"parkingId": "x"}, leave_out=(name,)), (4, 5, 6, 3, 20102), name)

    def test_order_of_checks(self):
        """Section 10's rules: 5, then 3, then 4, then the members, then the token."""
        old = stamp(beijing(86400))
        self.assertCode(5, "orderhistory", {}, merchant_no="nobody", time_stamp=old, sign_as="x")
        self.assertCode(3, "orderhistory", {}, time_stamp=old, sign_as="x")
        self.assertCode(4, "orderhistory", {}, sign_as="x")

    def test_the_text_is_signed(self):
        """data before URL encoding, blanks included (not the reading that takes them out)."""
        token = self.joint()
        for text in ('{ "token" : "%s" }', '{"token":"%s","x":"\\u6e1d a+b&c=d%%20"}', u'{"token":"%s","x":"渝"}'):
            self.assertCode(0, "orderhistory", text % token)
        text = '{"token":"%s", "plateNumber":"x y"}' % token
        moment = stamp()
        without_blanks = sign(text.replace(" ", ""), self.client.merchant_key, moment)
        self.assertCode(4, "orderhistory", text, time_stamp=moment, sign_as=without_blanks)

    def test_each_byte_counts(self):
        moment, text = stamp(), '{"parkingId":"VujsvT8mDNA="}'
        right = sign(text, self.client.merchant_key, moment)
        for at in range(len(text)):
            changed = text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1:]
            self.assertEqual(self.code("parkingstatus", changed, time_stamp=moment, sign_as=right), 4, changed)
        for at in range(32):
            changed = right[:at] + ("0" if right[at] != "0" else "1") + right[at + 1:]
            self.assertEqual(self.code("parkingstatus", text, time_stamp=moment, sign_as=changed), 4)


class Users(EtcpCase):
    def test_codes(self):
        """8.1: one a phone and minute; 8.2: 20203 for a wrong one; a code serves once."""
        phone = self.phone()
        self.assertCode(20201, "uservalidatecode", {"mobilePhone": "12345"})
        self.assertCode(0, "uservalidatecode", {"mobilePhone": phone})
        self.assertIn(self.code("uservalidatecode", {"mobilePhone": phone}), (20202, 20100))
        self.assertCode(0, "uservalidatecode", {"mobilePhone": self.phone()})
        code = self.control.code_of(phone)
        wrong = "000000" if code != "000000" else "111111"
        self.assertCode(20203, "userlogin", {"mobilePhone": phone, "code": wrong, "appId": "ETCP"})
        token = self.client.done("userlogin", {"mobilePhone": phone, "code": code, "appId": "ETCP"})["token"]
        self.assertCode(0, "orderhistory", {"token": token})
        self.assertCode(20203, "userlogin", {"mobilePhone": self.phone(), "code": code, "appId": "ETCP"})

    def test_the_last_login_counts(self):
        """8.3: calling again makes a new token; only the last one counts."""
        phone = self.phone()
        first, second = self.joint(phone), self.joint(phone)
        self.assertNotEqual(first, second)
        self.assertCode(0, "orderhistory", {"token": second})
        self.assertCode(20101, "orderhistory", {"token": first})

    def test_a_bad_phone(self):
        for phone in ("123", "abcdefghijk", "2" * 11, "1390000000a"):
            self.assertCode(20201, "usersignin", {"mobilePhone": phone, "appId": "ETCP"})

    def test_missing_members(self):
        token = self.joint()
        for name, data in (("uservalidatecode", {}), ("userlogin", {"mobilePhone": self.phone(), "appId": "ETCP"}),
                           ("usersignin", {"mobilePhone": self.phone()}), ("bindcar", {"token": token}), ("unbindcar", {"token": token}),
                           ("orderunpay", {"token": token}), ("orderpaid", {"token": token, "orderId": "1"}), ("parkingstatus", {})):
            self.assertIn(self.code(name, data), (6, 20102), name)

    def test_joint_login_binds_no_plate(self):
        plate = self.plate()
        self.client.done("usersignin", {"mobilePhone": self.phone(), "appId": "ETCP", "carNumber": plate})
        self.assertCode(0, "bindcar", {"token": self.joint(), "plateNumber": plate})


class Plates(EtcpCase):
    def bind(self, token, plate, **more):
        return self.code("bindcar", dict({"token": token, "plateNumber": plate}, **more))

    def test_lengths_and_colours(self):
        token = self.joint()
        for plate in (u"渝B757", u"渝B7570123", u""):
            self.assertIn(self.bind(token, plate), (6, 20102, 20100), plate)
        self.assertIn(self.bind(token, self.plate(), plateColor="5"), (6, 20100))
        self.assertEqual(self.bind(token, u"渝AD%05d" % int(self.fresh())), 0)

    def test_three_at_a_time(self):
        token = self.joint()
        plates = [self.plate() for _ in range(4)]
        for plate in plates[:3]:
            self.assertEqual(self.bind(token, plate), 0)
        self.assertNotEqual(self.bind(token, plates[3]), 0)
        self.assertCode(0, "unbindcar", {"token": token, "plateNumber": plates[0]})
        self.assertEqual(self.bind(token, plates[3]), 0)

    def test_three_over_all_merchants(self):
        """FAQ: counted over all merchants together."""
        phone = self.phone()
        for _ in range(2):
            self.control.ask("/etcp/bind", {"mobilePhone": phone, "plateNumber": self.plate()})
        token = self.joint(phone)
        self.assertEqual(self.bind(token, self.plate()), 0)
        self.assertNotEqual(self.bind(token, self.plate()), 0)

    def test_of_another_channel(self):
        """8.5: only a plate bound through the same channel can be unbound."""
        phone, plate = self.phone(), self.plate()
        self.control.ask("/etcp/bind", {"mobilePhone": phone, "plateNumber": plate})
        self.assertNotEqual(self.code("unbindcar", {"token": self.joint(phone), "plateNumber": plate}), 0)

    def test_four_a_month(self):
        token = self.joint()
        for _ in range(4):
            plate = self.plate()
            self.assertEqual(self.bind(token, plate), 0)
            self.assertCode(0, "unbindcar", {"token": token, "plateNumber": plate})
        self.assertEqual(self.bind(token, plate), 0, "one of the four again")
        self.assertNotEqual(self.bind(token, self.plate()), 0, "the fifth")

    def test_one_plate_one_phone(self):
        plate, first, second = self.plate(), self.joint(), self.joint()
        self.assertEqual(self.bind(first, plate), 0)
        self.assertNotEqual(self.bind(second, plate), 0)
        self.assertEqual(self.bind(second, plate, plateColor="3"), 0, "text plus colour is the identity")
        self.assertNotEqual(self.code("unbindcar", {"token": self.joint(), "plateNumber": plate}), 0)
        self.assertCode(0, "unbindcar", {"token": first, "plateNumber": plate})


class StayCase(EtcpCase):
    def user(self):
        token, plate = self.joint(), self.plate()
        self.client.done("bindcar", {"token": token, "plateNumber": plate})
        return token, plate

    def fee(self, token, plate):
        found = self.client.done("orderunpay", {"token": token, "plateNumber": plate})
        self.assertIsInstance(found, list)
        return found[0] if found else None

    def paid(self, token, record, **more):
        out = {"token": token, "orderId": record["orderId"], "externalOrderId": uuid.uuid4().hex, "payment": str(record["remainingFee"]),
               "payTime": beijing().strftime("%Y-%m-%d %H:%M:%S"), "verificationInfo": record["verificationInfo"]}
        out.update(more)
        return out


class Parking(StayCase):
    def test_a_car_outside(self):
        token, plate = self.user()
        self.assertIsNone(self.fee(token, plate))

    def test_a_stay(self):
        """Entry, fee, wrong payments, payment, exit, history."""
        token, plate = self.user()
        self.control.enter(plate, minutes_ago=150)
        record = self.fee(token, plate)
        for member in ("entranceTime", "exitTime", "parkingFee", "remainingFee", "parkingId", "orderId", "carNumber", "verificationInfo"):
            self.assertIn(member, record)
        self.assertIsInstance(record["parkingFee"], (int, float))
        self.assertRegex(record["entranceTime"], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")
        due = Decimal(str(record["remainingFee"]))
        self.assertGreater(due, 0)
        self.assertCode(20206, "orderpaid", self.paid(token, record, payment=str(due + 1)))
        self.assertCode(20206, "orderpaid", self.paid(token, record, payment=str(due - Decimal("0.01"))))
        self.assertNotEqual(self.code("orderpaid", self.paid(token, record, verificationInfo="x")), 0)
        self.assertNotEqual(self.code("orderpaid", self.paid(token, record, orderId="x")), 0)
        right = self.paid(token, record, payment=str(due) + ("0" if "." in str(due) else ".0"))
        done = self.client.done("orderpaid", right)
        self.assertEqual((done["orderId"], done["externalOrderId"]), (right["orderId"], right["externalOrderId"]))
        self.assertEqual(Decimal(str(done["payment"])), due)
        self.assertTrue(done["payOrderId"])
        left = self.fee(token, plate)
        self.assertEqual(left and Decimal(str(left["remainingFee"])) or 0, 0)
        self.control.leave(plate)
        self.assertIsNone(self.fee(token, plate))
        history = self.client.done("orderhistory", {"token": token})
        self.assertEqual([h["orderId"] for h in history], [record["orderId"]])
        for member in ("parkingName", "entranceTime", "exitTime", "parkingFee", "actual", "parkingId", "orderId", "carNumber"):
            self.assertIsInstance(history[0][member], str, "8.6 sends text")

    def test_external_numbers(self):
        first, second = self.user(), self.user()
        for _, plate in (first, second):
            self.control.enter(plate, minutes_ago=150)
        record, other = self.fee(*first), self.fee(*second)
        number = uuid.uuid4().hex
        self.assertCode(0, "orderpaid", self.paid(first[0], record, externalOrderId=number))
        self.assertIn(self.code("orderpaid", self.paid(second[0], other, externalOrderId=number)), (7, 8, 20100))

    def test_the_fee_grows(self):
        token, plate = self.user()
        self.control.enter(plate, minutes_ago=30)
        other_token, other = self.user()
        self.control.enter(other, minutes_ago=600)
        self.assertLess(self.fee(token, plate)["parkingFee"], self.fee(other_token, other)["parkingFee"])

    def test_newest_entry_first(self):
        token, plate = self.user()
        for days in (1, 3, 2):
            self.control.stay(plate, days_ago=days)
        entries = [h["entranceTime"] for h in self.client.done("orderhistory", {"token": token})]
        self.assertEqual((len(entries), entries), (3, sorted(entries, reverse=True)))


class Later(StayCase):
    """With the platform's clock put ahead: history, tokens."""

    def ahead(self, days):
        self.control.ask("/etcp/settings", {"ahead_s": int(days * 86400)})

    def test_history_of_seven_days(self):
        phone, plate = self.phone(), self.plate()
        token = self.joint(phone)
        self.client.done("bindcar", {"token": token, "plateNumber": plate})
        self.control.stay(plate, days_ago=0.01)
        self.control.ask("/etcp/settings", {"token_life": "unused"})
        for days, count in ((6.9, 1), (7.1, 0)):
            self.ahead(days)
            self.assertEqual(len(self.client.done("orderhistory", {"token": token})), count, days)

    def test_the_free_exit_time(self):
        """FAQ: a payment holds for the park's free exit time; after it a new fee counts from the payment on."""
        token, plate = self.user()
        self.control.enter(plate, minutes_ago=150)
        record = self.fee(token, plate)
        self.assertCode(0, "orderpaid", self.paid(token, record))
        for minutes, due in ((5, False), (200, True)):
            self.ahead(minutes / 1440)
            record = self.fee(token, plate)
            self.assertEqual(record["remainingFee"] > 0, due, record)
        self.assertCode(0, "orderpaid", self.paid(token, record))
        self.assertGreater(record["parkingFee"], record["remainingFee"], "already paid = whole fee minus remaining fee")

    def test_lives_of_tokens(self):
        """8.3: a day; FAQ: 30 days without use. A setting."""
        for life, steps in (("day", ((0.9, 0), (1.1, 20101))), ("unused", ((29, 0), (58, 0), (89, 20101)))):
            self.control.ask("/etcp/settings", {"token_life": life, "ahead_s": 0})
            token = self.joint()
            for days, code in steps:
                self.ahead(days)
                self.assertEqual(self.code("orderhistory", {"token": token}), code, (life, days))

    def tearDown(self):
        if self.sandbox.etcp:
            self.control.ask("/etcp/settings", {"ahead_s": 0, "token_life": "day"})


class Parks(EtcpCase):
    def test_around_a_point(self):
        """8.9: position with a radius of 500 to 3000, or city, never both."""
        found = self.client.done("surroundingparking", PLACE)["list"]
        for park in found:
            for member in ("id", "parkingName", "type", "minFreeTime", "avgCostPrecise", "parkingType", "capacityStatus", "payType",
                           "distance", "scrollId", "lon", "lat"):
                self.assertIn(member, park)
            self.assertIn(park["capacityStatus"], (u"充足", u"较少", u"紧张"))
            self.assertRegex(park["distance"], r"^\d+m$")
            self.assertLessEqual(int(park["distance"][:-1]), 3000)
        self.assertTrue(self.client.done("surroundingparking", {"city": u"北京市"})["list"])
        for wrong in (dict(PLACE, city=u"北京市"), {"lat": "39.8", "lon": "116.4"}, dict(PLACE, radius="499"),
                      dict(PLACE, radius="3001"), {}):
            self.assertIn(self.code("surroundingparking", wrong), (6, 20102), wrong)

    def test_pages(self):
        """scrollId stands in each element; the last one asks for the next page."""
        seen, scroll = [], ""
        for _ in range(50):
            page = self.client.done("surroundingparking", {"city": u"北京市", "scrollId": scroll, "payType": "0"})["list"]
            if not page:
                break
            seen += [p["id"] for p in page]
            scroll = page[-1]["scrollId"]
        else:
            self.fail("no end of pages")
        self.assertEqual(len(seen), len(set(seen)), "a park on two pages")

    def test_a_state(self):
        park = self.client.done("surroundingparking", {"city": u"北京市"})["list"][0]
        state = self.client.done("parkingstatus", {"parkingId": park["id"]})
        self.assertIsInstance(state["totalSpace"], str)
        self.assertIn(state["status"], (u"充足", u"较少", u"紧张"))
        self.assertRegex(state["time"], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")
        moment = time.mktime(time.strptime(state["time"], "%Y-%m-%d %H:%M:%S")) - time.mktime(beijing().timetuple())
        self.assertLess(abs(moment), 3600, "Beijing's time")
        self.assertNotEqual(self.code("parkingstatus", {"parkingId": "nowhere"}), 0)


class Faults(EtcpCase):
    def test_every_error_value(self):
        """Section 10: each can be brought about."""
        for code in CODES:
            if code:
                with self.subTest(code):
                    self.control.refuse(code)
                    answer = self.client.call("surroundingparking", PLACE)[1]
                    self.assertEqual((answer.get("code"), answer.get("message")), (code, CODES[code]))
                    self.assertCode(0, "surroundingparking", PLACE)


if __name__ == "__main__":
    unittest.main()
