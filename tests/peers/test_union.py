"""The library against the open API's referee (API 1 to 4, 6 to 8, 10)."""
import hashlib
import unittest
import urllib.parse

import bolink_faults as fault
import normal_form
import parklink
from platform_case import UNSURE, UnionCase
from union_facts import CALLS, INSIDE, TITLE_ONLY
from union_server import UnionServer


# Members of the tables that the document's own examples leave out or spell in another way, and the nonce of 2.1 and 2.2.
LEFT_OUT = (("getWxRedPacketUrlNew", "timestamp"), ("updatepark", "total_plot"), ("lsaccountsplit", "percent"),
            ("addpark", "rand"), ("updatepark", "rand"))


class Requests(UnionCase):
    def test_every_call(self):
        """Path, method, envelope, signature and members are the referee's business; the members given arrive as given."""
        p = self.link()
        for name, call in CALLS.items():
            with self.subTest(name, section=call.section):
                code, reply = p.try_call("union." + name, call.sample)
                self.assertEqual(code, parklink.OK, p.last_error)
                sent = self.server.last(name)
                for member, value in call.sample.items():
                    where = sent.doc if member == "platform_name" else sent.data
                    self.assertEqual(where.get(member), value, member)
                for member, value in call.success.items():
                    if member != "errmsg":
                        self.assertEqual(reply[member], value, member)

    def test_the_lot_is_filled_in_where_it_is_asked_for(self):
        p = self.link()
        for name in ("addorder", "lsbind", "refund", "park_check"):
            sample = {m: v for m, v in CALLS[name].sample.items() if m != "park_id"}
            self.assertEqual(p.try_call("union." + name, sample)[0], parklink.OK, p.last_error)
            self.assertEqual(self.server.last(name).data["park_id"], "21782")

    def test_a_search_is_not_narrowed(self):
        """4.1 by plate means the orders of all the vendor's lots; a lot that was not given would leave the others out."""
        p = self.link()
        p.try_call("union.queryorders", {"car_number": u"京GH0093"})
        self.assertEqual(set(self.server.last("queryorders").data), {"car_number", "union_id"})

    def test_nothing_is_added(self):
        """What the library puts into data is the vendor number and the service name of section 10."""
        p = self.link(park_id=None)
        for name, call in CALLS.items():
            p.try_call("union." + name, call.sample)
            given = set(call.sample) - {"platform_name"}
            added = set(self.server.last(name).data) - given
            allowed = {"union_id"} if call.envelope == INSIDE else set()
            if call.section.startswith("10."):
                allowed = allowed | {"service_name"}
            self.assertEqual(added, allowed, name)

    def test_each_success_word_and_each_refusal(self):
        p = self.link()
        for name, call in CALLS.items():
            with self.subTest(name, section=call.section):
                code, reply = p.try_call("union." + name, call.sample)
                self.assertEqual((code, reply["state"]), (parklink.OK, 1))
                self.server.answered(name, call.refusal)
                code, reply = p.try_call("union." + name, call.sample)
                self.assertEqual((code, reply["state"]), (parklink.REFUSED, 0))
                for member in call.refusal:
                    self.assertEqual(reply[member], call.refusal[member])
                self.assertEqual(reply.get("errmsg"), call.refusal.get("errmsg", call.refusal.get("message")))

    def test_success_as_text(self):
        p = self.link()
        for name, answer in (("addorder", {"state": "1", "order_id": "1"}), ("invoiceInfo", {"code": "200", "data": {}}),
                             ("queryOpenInvoiceStatus", {"code": "0", "data": {}}), ("personRecord", {"code": "1", "data": "{}"})):
            self.server.answered(name, answer)
            self.assertEqual(p.try_call("union." + name, CALLS[name].sample)[0], parklink.OK, name)

    def test_the_success_word_of_another_section_is_none(self):
        """code 0 means success in 6.5 and not in 6.2; 1 in 8.2 and not in 6.5; 200 in 6.2 alone."""
        p = self.link()
        for name, word in (("invoiceInfo", 0), ("invoiceInfo", 1), ("queryOpenInvoiceStatus", 1), ("queryOpenInvoiceStatus", 200),
                           ("personRecord", 0), ("personRecord", 200)):
            self.server.answered(name, {"code": word, "message": "x"})
            code, _ = p.try_call("union." + name, CALLS[name].sample)
            self.assertIn(code, (parklink.REFUSED, parklink.PROTOCOL), "%s with code %d" % (name, word))

    def test_replies_without_a_word(self):
        """3.4 names only payurl; 10.6 has no state in the part that is known."""
        p = self.link()
        self.server.answered("bolinkparkpay", {"payurl": "https://a.example/p"})
        code, reply = p.try_call("union.bolinkparkpay", CALLS["bolinkparkpay"].sample)
        self.assertEqual((code, reply and reply.get("payurl")), (parklink.OK, "https://a.example/p"), p.last_error)
        self.server.answered("get_vip_vehicle_list", {"totalCount": 1, "totalPages": 1, "pageNum": 1, "list": [{"vipId": 3}]})
        code, reply = p.try_call("union.get_vip_vehicle_list", CALLS["get_vip_vehicle_list"].sample)
        self.assertEqual((code, reply and reply.get("list")), (parklink.OK, [{"vipId": 3}]), p.last_error)

    def outcomes(self, p, answers):
        """(call, section, answer, code) of those that were not said to be unknown."""
        for name in ("etcPayApi", "refund", "addorder", "invoiceInfo", "queryOpenInvoiceStatus", "personRecord", "bolinkparkpay"):
            word = "code" if "code" in CALLS[name].success else "state"
            for answer in answers(word):
                self.server.answered(name, answer)
                code, _ = p.try_call("union." + name, CALLS[name].sample)
                if code != parklink.PROTOCOL:
                    yield name, CALLS[name].section, answer, code

    def test_no_word_is_no_success(self):
        """An answer in which the section's word is missing says nothing: neither done nor refused."""
        p = self.link()
        self.assertEqual(list(self.outcomes(p, lambda word: [{}, {word: None}, {"status": 500, "error": "Internal Error"}])), [])

    def test_a_word_that_is_none(self):
        """Where state or code is neither a number nor its text, nobody knows whether money moved."""
        p = self.link()
        self.assertEqual(list(self.outcomes(p, lambda word: [{word: {}}, {word: "ok"}, {word: True}, {word: ""}])), [])

    def test_the_word_inside_the_word(self):
        """8.2: code tells of the way, state inside the text of data of the report."""
        p = self.link()
        for inner, code in ((u'{"state":1,"message":"上报成功"}', parklink.OK), (u'{"state":0,"message":"失败"}', parklink.REFUSED),
                            (u'{"state":"0"}', parklink.REFUSED)):
            self.server.answered("personRecord", {"code": 1, "data": inner, "message": u"成功"})
            self.assertEqual(p.try_call("union.personRecord", CALLS["personRecord"].sample)[0], code, inner)

    def test_the_whole_envelope(self):
        """The document's own shape is taken too; its sign is not."""
        p = self.link()
        for name in ("addorder", "lsbind"):
            data = dict(CALLS[name].sample)
            around = {"data": dict(data, union_id=200208), "sign": "0" * 32} if name == "addorder" else {
                "data": data, "union_id": 200208, "sign": "0" * 32}
            self.assertEqual(p.try_call("union." + name, around)[0], parklink.OK, p.last_error)

    def test_another_vendor(self):
        p = self.link()
        for name, data in (("addorder", dict(CALLS["addorder"].sample, union_id=1)),
                           ("lsbind", {"data": CALLS["lsbind"].sample, "union_id": 1})):
            self.assertNotEqual(p.try_call("union." + name, data)[0], parklink.OK)
        self.assertEqual(self.server.received, [])

    def test_one_is_one(self):
        p = self.link()
        self.server.answered("refund", u'{"state":1.0,"trade_no":"1"}')
        self.assertEqual(p.try_call("union.refund", CALLS["refund"].sample)[0], parklink.OK, "1.0 is 1")

    def test_pending(self):
        p = self.link()
        for name, answer in (("refund", {"state": 2, "trade_no": "109010", "errmsg": u"退款中"}), ("bolinkescapePay", {"state": 2})):
            self.server.answered(name, answer)
            code, reply = p.try_call("union." + name, CALLS[name].sample)
            self.assertEqual((code, reply["state"]), (parklink.PENDING, 2))

    def test_title_only(self):
        p = self.link()
        for section in TITLE_ONLY:
            code, _ = p.try_call("union." + section, {"a": 1})
            self.assertEqual(code, parklink.UNSUPPORTED)
            self.assertIn(section, p.last_error)
        self.assertEqual(self.server.received, [])

    def test_addresses_for_the_browser(self):
        """2.4 and 7 are addresses that a browser is sent to; 2.4 signs the key and the milliseconds alone."""
        p = self.link()
        url = p.call("union.gettoken", {"park_id": "park2020010921"})["url"]
        self.assertTrue(url.startswith(self.server.base + "/web/parkingos/gettoken?"), url)
        query = dict(urllib.parse.parse_qsl(url.partition("?")[2], strict_parsing=True))
        self.assertEqual(len(query["timestamp"]), 13)
        self.assertEqual(query, {"park_id": "park2020010921", "union_id": "200208", "is_private_cloud": "1",
                                 "timestamp": query["timestamp"], "sign":
                                 hashlib.md5(("8403A41ED5EF20BC" + query["timestamp"]).encode()).hexdigest().upper()})
        url = p.call("union.getlicence", {"redirectUrl": "https://baidu.com?a=100&b=200"})["url"]
        self.assertEqual(url, self.server.base + "/unionapi/getlicence?redirectUrl=https%3A%2F%2Fbaidu.com%3Fa%3D100%26b%3D200")
        self.assertEqual(self.server.received, [])

    def test_the_vector_of_section_1_2(self):
        """The document's data, its key, its signature."""
        data = (u'{"park_id":"1001","name":"北京上地三街9号院停车场","address":"北京上地三街9号","phone":"139000334443",'
                u'"lng":"123.994449","city_id":110000,"lat":"332.466666","total_plot":90,"empty_plot":56,"union_id":10001,'
                u'"price_desc":"2元每小时","rand":"0.210354312785198048"}')
        self.assertEqual(normal_form.sign_text(data, "NQ0eSXs720170114"), "F2BA9A4E4362E2C41676FC720B14290C")
        self.server.union_id, self.server.ukey = "10001", "NQ0eSXs720170114"
        p = self.link(union_id="10001", ukey="NQ0eSXs720170114")
        self.assertEqual(p.try_call("union.addpark", data)[0], parklink.OK, p.last_error)
        sent = self.server.last("addpark")
        self.assertEqual((sent.data_text, sent.sign), (data, "F2BA9A4E4362E2C41676FC720B14290C"))

    def test_digits_stay(self):
        """Money is text or digits, never a float."""
        p = self.link()
        p.try_call("union.refund", u'{"park_id":"21782","trade_no":"1","refund_money":0.10}')
        self.assertEqual(self.server.last("refund").data["refund_money"].text, "0.10")
        p.try_call("union.addInvoiceOrder", u'{"park_id":"21782","money":16777217.01,"order_id":"1","plate_number":"A","pay_time":1}')
        self.assertEqual(self.server.last("addInvoiceOrder").data["money"].text, "16777217.01")
        self.server.answered("refund", u'{"state":1,"trade_no":"1","refund_money":123456789012345678.10}')
        p.call("union.refund", CALLS["refund"].sample)
        self.assertIn("123456789012345678.10", p.last_text)

    def test_escapes_and_blanks(self):
        """Whatever text goes out, the signature is over exactly that."""
        p = self.link(validation="off")
        text = u'{ "park_id":"21782", "x" : "\\u4eac\\/\u2028\\u007f\\ud83d\\ude97\\"", "n":null, "e":1e3, "a":[ 1, {} ], "o":{} }'
        p.try_call("union.setUp", text)
        sent = self.server.last("setUp").data
        self.assertEqual((sent["x"], float(sent["e"]), sent["n"]), (u"\u4eac/\u2028\x7f\U0001f697\"", 1000.0, None))
        self.allowed = ("member",)

    def test_missing_members_are_not_sent(self):
        p = self.link(park_id=None)
        for name, call in CALLS.items():
            for word in call.members.split():
                member = word.split(":")[0]
                if member not in call.sample or (name, member) in LEFT_OUT:
                    continue
                data = {m: v for m, v in call.sample.items() if m != member}
                with self.subTest("%s (%s) without %s" % (name, call.section, member)):
                    self.assertEqual(p.try_call("union." + name, data)[0], parklink.INVALID)
                    self.assertIn(member, p.last_error)
        self.assertEqual(self.server.received, [])

    def test_a_nonce_is_fresh(self):
        """rand must not be the one before; left out, it comes from the library."""
        p = self.link()
        for name in ("addpark", "updatepark"):
            sent = []
            for _ in range(3):
                data = {m: v for m, v in CALLS[name].sample.items() if m != "rand"}
                self.assertEqual(p.try_call("union." + name, data)[0], parklink.OK, p.last_error)
                sent.append(self.server.last(name).data["rand"])
            self.assertEqual(len(set(sent)), 3, sent)
            self.assertTrue(all(len(rand) <= 32 for rand in sent), sent)

    def test_one_of_three(self):
        """4.1 wants at least one of park_id, order_id and car_number."""
        p = self.link(park_id=None)
        self.assertEqual(p.try_call("union.queryorders", {"page": 1})[0], parklink.INVALID)
        for member in ("park_id", "order_id", "car_number"):
            self.assertEqual(p.try_call("union.queryorders", {member: "1"})[0], parklink.OK, member)

    def test_a_slash_at_the_end_of_the_base(self):
        p = self.link(union={"base": self.server.base + "/"})
        self.assertEqual(p.try_call("union.lsbind", CALLS["lsbind"].sample)[0], parklink.OK)

    def test_secrets_stay_inside(self):
        p = self.link()
        self.server.plan("lsbind", fault.status(500))
        p.try_call("union.lsbind", CALLS["lsbind"].sample)
        p.try_call("union.gettoken", {})
        self.assertNotIn("8403A41ED5EF20BC", p.last_error + repr(p.status()))


class Faults(UnionCase):
    def one(self, step, name="addorder", codes=UNSURE):
        """The call fails so, is sent once, and the next one works."""
        p = self.link()
        p.call("union." + name, CALLS[name].sample)
        before = len(self.server.received)
        self.server.plan(name, step)
        code, _ = p.try_call("union." + name, CALLS[name].sample)
        self.assertIn(code, codes, p.last_error)
        self.assertEqual(len(self.server.received) - before, 1, "sent more than once")
        self.steady(lambda: p.try_call("union." + name, CALLS[name].sample))

    def test_late(self):
        self.one(fault.late(2.0), "etcPayApi", (parklink.TIMEOUT,))

    def test_never(self):
        self.one(fault.never(), "refund", (parklink.TIMEOUT,))

    def test_server_errors(self):
        for status in (500, 502, 404, 403):
            self.one(fault.status(status, process=True), "bolinkparkpay", (parklink.HTTP,))

    def test_redirect_is_not_followed_with_money(self):
        self.one(fault.status(302, "", [("Location", "/unionapi/etcPayApi")]), "etcPayApi", UNSURE)

    def test_garbage(self):
        for text in (u"<html></html>", u"", u"[]", u"null", u'{"state":', u'{"x":1}', u'"1"', u"\ufffd"):
            with self.subTest(text):
                self.one(fault.reply(text), "refund", (parklink.PROTOCOL, parklink.HTTP))

    def test_not_http(self):
        self.one(fault.raw(b"hello\r\n\r\n"), "refund", UNSURE)

    def test_truncated(self):
        self.one(fault.truncated(), "refund", (parklink.BROKEN,))

    def test_cut_before_an_answer(self):
        """The platform may have charged: no second charge by itself, on a kept connection either."""
        self.one(fault.close_before(), "etcPayApi", (parklink.BROKEN,))

    def test_framings(self):
        p = self.link()
        for step in (fault.chunked(), fault.chunked(1, trailer=True), fault.until_close(), fault.close_after(), fault.slow(0.2, 8),
                     fault.close_after(announce=True)):
            # a kept connection that was closed without a word may show only when the next call is under way
            self.steady(lambda: p.try_call("union.addorder", CALLS["addorder"].sample))
            self.server.plan("addorder", step)
            code, _ = p.try_call("union.addorder", CALLS["addorder"].sample)
            self.assertEqual(code, parklink.OK, p.last_error)

    def test_nobody_there(self):
        server = UnionServer().start()
        base = server.base
        server.stop()
        p = self.link(union={"base": base})
        code, _ = p.try_call("union.lsbind", CALLS["lsbind"].sample)
        self.assertEqual(code, parklink.OFFLINE, p.last_error)

    def test_not_configured(self):
        p = self.open({"etcp": {"base": self.server.base, "merchant_no": "1", "merchant_key": "2"}, "http": {"proxy": ""}})
        self.assertEqual(p.try_call("union.lsbind", CALLS["lsbind"].sample)[0], parklink.NOT_CONFIGURED)

    def test_many_at_a_time(self):
        p = self.link()
        calls = [self.beside(p.try_call, "union.addorder", dict(CALLS["addorder"].sample, order_id="M%d" % n)) for n in range(24)]
        for n, call in enumerate(calls):
            code, reply = call.wait()
            self.assertEqual((code, reply["order_id"]), (parklink.OK, "M%d" % n))
        self.assertLessEqual(len(self.server.conns), 24)


if __name__ == "__main__":
    unittest.main()
