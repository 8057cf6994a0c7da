"""The new referees judge rightly: a right client breaks nothing, each wrong one is caught. Needs neither library nor sandbox."""
import unittest

from etcp_server import CALLS as ETCP_CALLS
from etcp_server import EtcpServer, beijing, stamp
from push_client import PushClient, etcp_text, union_body
from push_facts import car_in, car_out, pushes
from push_referee import PushReferee
from raw_platforms import RawEtcp, RawUnion
from union_facts import BESIDE, CALLS, COMMUNITY, INSIDE
from union_server import UnionServer


class RefereeCase(unittest.TestCase):
    def serve(self, server, client):
        server.start()
        self.addCleanup(server.stop)
        client = client(server.base)
        self.addCleanup(client.close)
        return server, client

    def assertCaught(self, server, rules):
        self.assertEqual(set(server.broken_rules()), set(rules.split()))
        del server.violations[:]


class Union(RefereeCase):
    def setUp(self):
        self.server, self.client = self.serve(UnionServer(), RawUnion)

    def test_a_right_client(self):
        for name, call in CALLS.items():
            status, answer = self.client.call(name)
            self.assertEqual(status, 200)
            for member, value in call.success.items():
                if member != "order_id":
                    self.assertEqual(answer[member], value)
        self.server.check()

    def test_wrong_ones(self):
        for name, call in CALLS.items():
            self.client.call(name, sign="0" * 32)
            self.assertCaught(self.server, "wrong_sign")
            if call.envelope != COMMUNITY:
                self.client.call(name, envelope=INSIDE if call.envelope == BESIDE else BESIDE)
                self.assertLessEqual({"envelope", "union_id"}, set(self.server.broken_rules()))
                del self.server.violations[:]
            for word in call.members.split():
                member = word.split(":")[0]
                if member != "service_name":
                    self.client.call(name, {m: v for m, v in call.sample.items() if m != member})
                    self.assertCaught(self.server, "member")
        self.client.call("etcPayApi", dict(CALLS["etcPayApi"].sample, pay_type="my"))
        self.assertCaught(self.server, "member")
        self.client.call("updatepark", dict(CALLS["updatepark"].sample, type=3))
        self.assertCaught(self.server, "value")
        self.client.call("addorder", union_id=5)
        self.assertCaught(self.server, "union_id")
        self.client.call("addorder", path="/unionapi/neworder/addOrder")
        self.assertCaught(self.server, "unknown_path")
        self.client.ask("/unionapi/lsbind", "{}", content_type="text/plain")
        self.assertCaught(self.server, "content_type no_data")
        self.client.ask("/unionapi/lsbind", "{", method="PUT")
        self.assertCaught(self.server, "not_post not_json")


class Etcp(RefereeCase):
    def setUp(self):
        self.server, self.client = self.serve(EtcpServer(), RawEtcp)
        self.server.tokens["t"] = "13800000001"
        self.record = self.server.park(u"渝B757D0")
        self.data = {"token": "t", "mobilePhone": "13800000001", "code": "562371", "appId": "ETCP", "plateNumber": u"渝B757D0",
                     "orderId": self.record["orderId"], "externalOrderId": "1", "payment": "8.0", "payTime": "2017-06-12 09:58:58",
                     "verificationInfo": self.record["verificationInfo"], "parkingId": "1", "city": u"北京市"}

    def members(self, name):
        return {m: self.data[m] for m in ETCP_CALLS[name][2] or ("city",)}

    def test_a_right_client(self):
        for name in ("uservalidatecode", "bindcar", "orderhistory", "orderunpay", "orderpaid", "unbindcar", "surroundingparking",
                     "parkingstatus", "userlogin", "usersignin"):
            self.assertEqual(self.client.call(name, self.members(name))[1]["code"], 0, name)
        self.server.check()

    def test_wrong_ones(self):
        data = self.members("parkingstatus")
        for how, rules in (({"method": "GET"}, "method"), ({"key": "x"}, "wrong_sign"), ({"sign_as": "a" * 32}, "wrong_sign"),
                           ({"time_stamp": stamp(beijing(8 * 3600))}, "time_stamp"), ({"time_stamp": "2017072113245"}, "time_stamp"),
                           ({"merchant_no": "x"}, "merchant_no"), ({"leave_out": ("sign",)}, "parameters")):
            self.client.call("parkingstatus", data, **how)
            self.assertCaught(self.server, rules)
        for name, change, rules in (("bindcar", {"plateNumber": u"渝B757D"}, "plate"), ("bindcar", {"plateColor": "5"}, "plate_colour"),
                                    ("orderpaid", {"payment": "8,0"}, "payment"), ("orderpaid", {"payTime": "now"}, "pay_time"),
                                    ("orderpaid", {"payment": 8.0}, "not_text"), ("parkingstatus", {"parkingId": 3126}, "not_text"),
                                    ("surroundingparking", {"lat": "1", "lon": "1", "radius": "500"}, "position_or_city"),
                                    ("surroundingparking", {"city": ""}, "position_or_city"), ("orderhistory", {"token": ""}, "member")):
            self.client.call(name, dict(self.members(name), **change))
            self.assertIn(rules, self.server.broken_rules(), (name, change))
            del self.server.violations[:]
        for _ in range(2):
            code = self.client.call("uservalidatecode", self.members("uservalidatecode"))[1]["code"]
        self.assertEqual(code, 20202)
        self.assertCaught(self.server, "code_within_a_minute")


class Pushes(RefereeCase):
    def setUp(self):
        self.server, self.client = self.serve(PushReferee(), PushClient)

    def test_right_and_wrong(self):
        known = [p for p in pushes(1) if p.section.startswith("5.") and p.section not in ("5.13", "5.14")]
        for push in known:
            beside = {"union_id": 200208} if push.name == "monthcard_pay" else None
            self.client.ask("/union", union_body(push.name, push.data, self.server.ukey, beside))
        for data in (car_in(1, "2017-08-20 12:59:57"), car_out(1, "2017-08-20 12:59:57")):
            self.client.ask("/etcp", etcp_text(data, "9827c6b5c6d94485b912b6e90c92a7ae", "noxxxxx"))
        self.server.check()
        for push in known:
            body = union_body(push.name, push.data, "x", {"union_id": 200208} if push.name == "monthcard_pay" else None)
            self.client.ask("/union", body)
            self.assertCaught(self.server, "wrong_sign")
            self.client.ask("/union", union_body(push.name, {}, self.server.ukey, {"x": 1}))
            self.assertCaught(self.server, "member envelope")
        self.client.ask("/etcp", etcp_text(car_in(1, "x"), "other", "noxxxxx"))
        self.assertCaught(self.server, "wrong_sign")


if __name__ == "__main__":
    unittest.main()
