"""The library against ETCP's referee: the ten calls (ETCP 4 to 8, 10)."""
import datetime
import os
import subprocess
import sys
import unittest
import urllib.parse

import bolink_faults as fault
import etcp_server
import parklink
from etcp_server import CALLS, CODES, beijing, stamp
from platform_case import UNSURE, EtcpCase

PLATE = u"渝B757D0"
PLACE = {"lat": "39.87274", "lon": "116.429718", "radius": "500"}


def paid(record, **more):
    out = {"orderId": record["orderId"], "externalOrderId": "20170612095857258937", "payment": "8.0",
           "payTime": "2017-06-12 09:58:58", "verificationInfo": record["verificationInfo"]}
    out.update(more)
    return out


class TestSelf(unittest.TestCase):
    def test_the_vector_of_section_5(self):
        data = '{"param1":"value1","param2":"value2","param3":"value3"}'
        self.assertEqual(etcp_server.sign(data, "noxxxxx", "20170721132452"), "A3DE1813F4DDBADFC18555E18A2E579D")


class Calls(EtcpCase):
    def logged_in(self, **more):
        p = self.link(**more)
        self.assertEqual(p.try_call("etcp.usersignin", {"mobilePhone": self.PHONE, "appId": "ETCP"})[0], parklink.OK, p.last_error)
        return p

    def test_every_call(self):
        """Method, path, form, encoding, signature and time are the referee's business."""
        p = self.link()
        record = self.server.park(PLATE)
        for name, data in (("uservalidatecode", {"mobilePhone": self.PHONE}),
                           ("userlogin", {"mobilePhone": self.PHONE, "code": "562371", "appId": "ETCP"}),
                           ("usersignin", {"mobilePhone": self.PHONE, "appId": "ETCP", "carNumber": u"渝AJS537"}),
                           ("bindcar", {"plateNumber": PLATE, "plateColor": "2"}), ("orderhistory", {}),
                           ("orderunpay", {"plateNumber": PLATE, "appId": "ETCP"}), ("orderpaid", paid(record, appId="ETCP")),
                           ("unbindcar", {"plateNumber": PLATE}), ("surroundingparking", dict(PLACE, payType="1", scrollId="")),
                           ("surroundingparking", {"city": u"北京市"}), ("parkingstatus", {"parkingId": "VujsvT8mDNA="})):
            with self.subTest(name):
                code, reply = p.try_call("etcp." + name, data)
                self.assertEqual((code, reply and reply["code"]), (parklink.OK, 0), p.last_error)
                sent = self.server.last(name)
                allowed = set(data) | ({"token"} if "token" in CALLS[name][2] else set())
                self.assertEqual(set(sent.data), allowed)
                for member, value in data.items():
                    self.assertEqual(sent.data[member], value)
        self.assertEqual({r.name for r in self.server.received}, set(CALLS))
        self.assertEqual([d["externalOrderId"] for d in self.server.payments], ["20170612095857258937"])

    def test_a_token_given_is_used(self):
        p = self.link()
        self.server.tokens["mine"] = self.PHONE
        self.assertEqual(p.try_call("etcp.orderhistory", {"token": "mine"})[0], parklink.OK, p.last_error)
        self.assertEqual(self.server.last("orderhistory").data["token"], "mine")

    def test_no_user_no_call(self):
        p = self.link()
        code, _ = p.try_call("etcp.bindcar", {"plateNumber": PLATE})
        self.assertNotEqual(code, parklink.OK)
        self.assertEqual(self.server.received, [])

    def test_two_users_are_told_apart(self):
        """A call about a user goes by that user's token; with two of them and none named, nothing may be guessed."""
        p = self.link()
        phones = ("13800000001", "13800000002")
        for phone in phones:
            p.call("etcp.usersignin", {"mobilePhone": phone, "appId": "ETCP"})
        for phone, plate in zip(phones, (u"渝B757D0", u"渝B757D1")):
            self.assertEqual(p.try_call("etcp.bindcar", {"mobilePhone": phone, "plateNumber": plate})[0], parklink.OK)
        self.assertEqual(self.server.plates, {phones[0]: [u"渝B757D0"], phones[1]: [u"渝B757D1"]})
        code, _ = p.try_call("etcp.bindcar", {"plateNumber": u"渝B757D2"})
        self.assertEqual(code, parklink.INVALID, "bound to %s" % self.server.plates)

    def test_what_is_encoded(self):
        """Plates, signs that mean something in a form, digits of money: what arrives is what was given."""
        p = self.logged_in()
        record = self.server.park(PLATE)
        record["verificationInfo"] = u"FSED9Jvx+U6/X=Ud8&YR%25 \u00e9渝==#?;"
        code, _ = p.try_call("etcp.orderpaid", paid(record))
        self.assertEqual(code, parklink.OK, p.last_error)
        self.assertEqual(p.try_call("etcp.orderunpay", {"plateNumber": u"渝 +&=%D"})[0], parklink.OK, p.last_error)
        self.assertEqual(self.server.last("orderunpay").data["plateNumber"], u"渝 +&=%D")

    def test_missing_members_are_not_sent(self):
        p = self.logged_in()
        before = len(self.server.received)
        record = self.server.park(PLATE)
        whole = {"uservalidatecode": {"mobilePhone": "13800000009"}, "userlogin": {"mobilePhone": "13800000009", "code": "1",
                 "appId": "ETCP"}, "usersignin": {"mobilePhone": "13800000009", "appId": "ETCP"}, "bindcar": {"plateNumber": PLATE},
                 "unbindcar": {"plateNumber": PLATE}, "orderunpay": {"plateNumber": PLATE}, "orderpaid": paid(record),
                 "parkingstatus": {"parkingId": "1"}}
        for name, data in whole.items():
            for member in data:
                code, _ = p.try_call("etcp." + name, {m: v for m, v in data.items() if m != member})
                self.assertEqual(code, parklink.INVALID, "%s without %s" % (name, member))
                self.assertIn(member, p.last_error)
        self.assertEqual(len(self.server.received), before)

    def test_plates(self):
        """8.4, 8.5: 8 characters for new-energy cars, 7 for all others; characters, not bytes."""
        p = self.logged_in()
        for name in ("bindcar", "unbindcar"):
            for plate in (u"渝B757D", u"渝B757D012", u"", u"渝", u"AAAAAAAAA"):
                if name == "bindcar" or len(plate) not in (7, 8):
                    code, _ = p.try_call("etcp." + name, {"plateNumber": plate})
                    self.assertEqual(code, parklink.INVALID, plate)
        self.assertEqual(self.server.requests("bindcar"), [])
        for plate in (u"渝B757D0", u"渝BD12345"):
            self.assertEqual(p.try_call("etcp.bindcar", {"plateNumber": plate})[0], parklink.OK, p.last_error)
            self.assertEqual(p.try_call("etcp.unbindcar", {"plateNumber": plate})[0], parklink.OK, p.last_error)

    def test_colours(self):
        p = self.logged_in()
        for colour in ("1", "2", "3", "4"):
            self.assertEqual(p.try_call("etcp.bindcar", {"plateNumber": PLATE, "plateColor": colour})[0], parklink.OK)
        for colour in ("0", "5", "blue", ""):
            self.assertEqual(p.try_call("etcp.bindcar", {"plateNumber": PLATE, "plateColor": colour})[0], parklink.INVALID, colour)

    def test_position_or_city(self):
        """8.9: by position with a radius of 500 to 3000 metres, or by city, never both."""
        p = self.link()
        for wrong in ({}, dict(PLACE, city=u"北京市"), {"lat": "39.8", "lon": "116.4"}, {"lat": "39.8", "radius": "500"},
                      {"lon": "116.4", "radius": "500"}, {"radius": "500"}, dict(PLACE, radius="499"), dict(PLACE, radius="3001"),
                      dict(PLACE, payType="3")):
            self.assertEqual(p.try_call("etcp.surroundingparking", wrong)[0], parklink.INVALID, wrong)
        self.assertEqual(self.server.received, [])
        for radius in ("500", "3000"):
            self.assertEqual(p.try_call("etcp.surroundingparking", dict(PLACE, radius=radius))[0], parklink.OK)

    def test_a_code_a_minute(self):
        """8.1: at most one code per phone and minute; another phone has its own minute."""
        p = self.link()
        self.assertEqual(p.try_call("etcp.uservalidatecode", {"mobilePhone": self.PHONE})[0], parklink.OK)
        self.assertEqual(p.try_call("etcp.uservalidatecode", {"mobilePhone": self.PHONE})[0], parklink.RATE_LIMITED)
        self.assertEqual(p.try_call("etcp.uservalidatecode", {"mobilePhone": "13800000002"})[0], parklink.OK)
        self.assertEqual(len(self.server.received), 2)

    def test_a_code_after_a_lost_answer(self):
        """A code that may have gone out counts; one that was refused may be asked for again."""
        p = self.link()
        self.server.plan("uservalidatecode", fault.close_before())
        self.assertIn(p.try_call("etcp.uservalidatecode", {"mobilePhone": self.PHONE})[0], UNSURE)
        self.assertEqual(p.try_call("etcp.uservalidatecode", {"mobilePhone": self.PHONE})[0], parklink.RATE_LIMITED)
        self.assertEqual(len(self.server.received), 1)

    def test_beijing_time_in_every_zone(self):
        """time_stamp is China's time whatever the host's zone; the referee compares."""
        script = ("import sys; sys.path.insert(0, %r); import parklink\n"
                  "p = parklink.Parklink(%r)\n"
                  "print(p.try_call('etcp.parkingstatus', {'parkingId': '1'})[0]); p.close()\n")
        config = dict(self.options(), http={"proxy": ""})
        here = os.path.dirname(os.path.abspath(__file__))
        for zone in ("UTC", "America/New_York", "Asia/Kathmandu", "XXX-14", "XXX12"):
            done = subprocess.run([sys.executable, "-c", script % (here, config)], env=dict(os.environ, TZ=zone), timeout=20,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual(done.stdout.decode().strip(), "0", zone)
        self.assertEqual(len(self.server.received), 5)

    def test_time_is_that_of_sending(self):
        p = self.link()
        p.call("etcp.parkingstatus", {"parkingId": "1"})
        end = stamp(beijing(-2))
        self.assertLessEqual(stamp(beijing(2)), self.server.received[-1].form["time_stamp"])
        self.assertLessEqual(self.server.received[-1].form["time_stamp"], end)
        self.assertEqual(datetime.datetime.now(etcp_server.BEIJING).utcoffset().total_seconds(), 28800)

    def test_every_error_code(self):
        """Section 10: each has its number, its text, a name and what to do; none is taken for success."""
        names = set()
        for code, text in CODES.items():
            if code in (0, 20101):
                continue
            with self.subTest(code):
                p = self.link()
                self.server.refused("parkingstatus", code)
                result, reply = p.try_call("etcp.parkingstatus", {"parkingId": "1"})
                self.assertIn(result, (parklink.REFUSED, parklink.LOGIN_REFUSED, parklink.RATE_LIMITED), p.last_error)
                self.assertEqual((reply["code"], reply["message"], reply["state"]), (code, text, 0))
                self.assertIn(str(code), p.last_error)
                self.assertTrue(reply["error"]["advice"])
                self.assertIn(reply["error"]["name"], p.last_error)
                names.add(reply["error"]["name"])
                self.assertEqual(p.try_call("etcp.parkingstatus", {"parkingId": "1"})[0], parklink.OK)
        self.assertEqual(len(names), 14)

    def test_codes_as_text_and_unknown_ones(self):
        p = self.link()
        for answer, result in ((u'{"code":"0","message":"ok"}', (parklink.OK,)), (u'{"code":99999}', (parklink.REFUSED,)),
                               (u'{"code":"6","message":"x"}', (parklink.REFUSED,)), (u'{"code":null}', (parklink.PROTOCOL,)),
                               (u'{}', (parklink.PROTOCOL,)), (u'{"message":"ok"}', (parklink.PROTOCOL,)),
                               (u'{"code":{}}', (parklink.PROTOCOL,)), (u'{"code":false}', (parklink.PROTOCOL,)),
                               (u'{"code":""}', (parklink.PROTOCOL,)), (u'{"state":1}', (parklink.PROTOCOL,))):
            with self.subTest(answer):
                self.server.plan("parkingstatus", fault.reply(answer, process=False))
                self.assertIn(p.try_call("etcp.parkingstatus", {"parkingId": "1"})[0], result, p.last_error)

    def test_faults(self):
        p = self.link()
        for step, codes in ((fault.late(1.5), (parklink.TIMEOUT,)), (fault.status(500), (parklink.HTTP,)),
                            (fault.status(404), (parklink.HTTP,)), (fault.reply(u"<html>"), (parklink.PROTOCOL,)),
                            (fault.reply(u""), (parklink.PROTOCOL,)), (fault.truncated(), (parklink.BROKEN,)),
                            (fault.raw(b"nonsense\r\n\r\n"), UNSURE), (fault.chunked(), (parklink.OK,)),
                            (fault.until_close(), (parklink.OK,)), (fault.slow(0.2, 8), (parklink.OK,))):
            self.server.plan("parkingstatus", step)
            code, _ = p.try_call("etcp.parkingstatus", {"parkingId": "1"})
            self.assertIn(code, codes, p.last_error)
            self.steady(lambda: p.try_call("etcp.parkingstatus", {"parkingId": "1"}))

    def test_secrets_stay_inside(self):
        p = self.logged_in()
        token = next(iter(self.server.tokens))
        self.server.refused("bindcar", 20100)
        p.try_call("etcp.bindcar", {"plateNumber": PLATE})
        shown = p.last_error + repr(p.status())
        self.assertNotIn(self.server.merchant_key, shown)
        self.assertNotIn(token, shown)


class Bases(EtcpCase):
    def test_version_by_option(self):
        self.allowed = ("unknown_path",)
        p = self.link(etcp={"version": "1.0.1"})
        p.try_call("etcp.orderhistory", {"token": "x"})
        path = self.server.received[-1].path
        self.assertTrue(path.startswith("/merchant/open/1.0.1/openapi/orderhistory?"), path)
        self.assertEqual(urllib.parse.urlsplit(path).query.count("&"), 3)

    def test_the_parks_are_always_1_0_0(self):
        """8.9 and 8.10 print 1.0.0 where the others print {version}."""
        p = self.link(etcp={"version": "1.0.1"})
        p.try_call("etcp.parkingstatus", {"parkingId": "1"})
        self.assertEqual(self.server.received[-1].path, "/merchant/open/1.0.0/openapi/parkingstatus")


if __name__ == "__main__":
    unittest.main()
