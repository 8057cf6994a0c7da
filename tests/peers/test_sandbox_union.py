"""The sandbox's open API against a client written from the document (API 1 to 4, 6, 8, 10)."""
import hashlib
import time
import unittest

import normal_form
from push_client import compact
from raw_platforms import RawUnion
from sandbox_case import SandboxCase
from union_facts import BESIDE, CALLS, COMMUNITY, ETC, ETC_MY, ETC_PAID, INSIDE

WORDS = {"invoiceInfo": ("code", 200, (500,)), "openInvoice": ("code", 0, None), "queryOpenInvoiceStatus": ("code", 0, None),
         "personRecord": ("code", 1, None)}


class UnionCase(SandboxCase):
    def setUp(self):
        if not self.sandbox.union:
            self.skipTest("this sandbox has no open API")
        address = self.sandbox.union.replace("http://", "").rstrip("/")
        self.client = RawUnion(address[:-len("/unionapi")] if address.endswith("/unionapi") else address)
        self.addCleanup(self.client.close)

    def word(self, name, answer):
        """The section's word: True, False, or another value as it is."""
        member, success, failures = WORDS.get(name, ("state", 1, (0,)))
        self.assertIn(member, answer, "%s (%s): %r" % (name, CALLS[name].section, answer))
        if str(answer[member]) == str(success):
            return True
        if failures is None or str(answer[member]) in map(str, failures):
            return False
        return answer[member]

    def said(self, name, data=None, **how):
        """(the section's word, the answer)."""
        status, answer = self.client.call(name, data, **how)
        self.assertEqual(status, 200, answer)
        self.assertIsInstance(answer, dict, answer)
        return self.word(name, answer), answer

    def ok(self, name, data=None, **how):
        word, answer = self.said(name, data, **how)
        self.assertIs(word, True, "%s (%s): %s" % (name, CALLS[name].section, answer))
        return answer

    def entered(self, plate=None):
        """An open order of its own car."""
        data = {"park_id": "21782", "car_number": plate or u"京%s" % self.fresh("U"), "in_time": int(time.time()) - 3600,
                "order_id": self.fresh("UO"), "empty_plot": 20}
        self.ok("addorder", data)
        return data

    def leave(self, entry, **more):
        out = {m: entry[m] for m in ("park_id", "car_number", "in_time", "order_id", "empty_plot")}
        out.update(out_time=int(time.time()), pay_type="cash", total="6.00")
        out.update(more)
        return self.said("updateorder", out)


class Wire(UnionCase):
    def test_every_call_has_its_word(self):
        """Right requests get an answer in the section's own words: bare, unsigned JSON."""
        for name, call in CALLS.items():
            with self.subTest(name, section=call.section):
                data = dict(call.sample, park_id=self.fresh("UL"), rand=self.fresh("0.")) if name == "addpark" else None
                word, answer = self.said(name, data)
                self.assertNotIn("sign", answer)
                self.assertIn(word, (True, False, 2))
                if name in ("addpark", "setUp", "addorder", "queryorders", "queryescape", "parking_business_count", "invoiceInfo",
                            "park_check", "get_screen_str", "getqrcodecloud", "parking_business_list", "personRecord", "lsregister"):
                    self.assertIs(word, True, answer)

    def test_type_of_the_answers(self):
        _, headers, _ = self.client.push(self.client.prefix + CALLS["lsbind"].path, "{}")
        self.assertEqual(headers["content-type"].lower().replace(" ", ""), "application/json;charset=utf-8")

    def test_wrong_signatures(self):
        for name, call in CALLS.items():
            with self.subTest(name, section=call.section):
                for how in ({"sign": "0" * 32}, {"sign": ""}, {"key": "another"}):
                    status, answer = self.client.call(name, **how)
                    if status == 200:
                        self.assertIs(self.word(name, answer), False, (how, answer))
                    else:
                        self.assertGreaterEqual(status, 400)

    def test_the_text_is_signed_not_its_meaning(self):
        """1.2: the exact text as sent, blanks and order and escapes included."""
        text = u'{ "union_id":200208 , "park_id":"21782","order_id":"%s","car_number":"\\u4eacZ1", "in_time":1490875218,"empty_plot":20}'
        text = text % self.fresh("UT")
        for signed, word in ((text, 1), (text.replace(" ", ""), 0), (text.replace("\\u4eac", u"京"), 0)):
            body = '{"data":%s,"sign":"%s"}' % (text, normal_form.sign_text(signed, self.client.ukey))
            _, answer = self.client.ask(self.client.prefix + CALLS["addorder"].path, body)
            self.assertEqual(answer.get("state"), word, answer)

    def test_each_byte_counts(self):
        text = compact(dict(CALLS["addorder"].sample, union_id=200208, order_id=self.fresh("UB")))
        body = ('{"data":%s,"sign":"%s"}' % (text, normal_form.sign_text(text, self.client.ukey))).encode("utf-8")
        for at in range(len(body)):
            changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1:]
            status, answer = self.client.ask(self.client.prefix + CALLS["addorder"].path, changed)
            self.assertFalse(status == 200 and isinstance(answer, dict) and answer.get("state") == 1, changed)

    def test_place_of_union_id(self):
        """It sits inside data in some calls and beside it in others; elsewhere it is not found."""
        for name, call in CALLS.items():
            if call.envelope != COMMUNITY:
                with self.subTest(name, section=call.section):
                    other = INSIDE if call.envelope == BESIDE else BESIDE
                    status, answer = self.client.call(name, envelope=other)
                    self.assertFalse(status == 200 and self.word(name, answer) is True, answer)

    def test_unknown_vendor(self):
        for name in ("addorder", "lsbind", "queryorders", "invoiceInfo"):
            status, answer = self.client.call(name, union_id=999999)
            self.assertFalse(status == 200 and self.word(name, answer) is True, answer)

    def test_not_a_request(self):
        path = self.client.prefix + CALLS["addorder"].path
        for body in ("", "{", "[]", "null", '{"data":1}', '{"data":{},"sign":""}', "x=1"):
            status, answer = self.client.ask(path, body)
            self.assertFalse(status == 200 and isinstance(answer, dict) and answer.get("state") == 1, body)
        status, _ = self.client.ask(path, "", method="GET")
        self.assertNotEqual(status, 200)
        status, _ = self.client.ask(self.client.prefix + "/unionapi/nothing", "{}")
        self.assertNotEqual(status, 200)

    def test_missing_members(self):
        """A member that the table requires."""
        for name, member in (("addpark", "name"), ("addorder", "order_id"), ("addorder", "car_number"), ("updateorder", "pay_type"),
                             ("etcPayApi", "lane_no"), ("etcPayApi", "order_id"), ("refund", "trade_no"), ("bolinkparkpay", "trade_no"),
                             ("addInvoiceOrder", "order_id"), ("park_check", "car_number"), ("queryescape", "car_number")):
            with self.subTest("%s without %s" % (name, member), section=CALLS[name].section):
                word, answer = self.said(name, {m: v for m, v in CALLS[name].sample.items() if m != member})
                self.assertIs(word, False, answer)
                self.assertTrue(answer.get("errmsg"))


class Rules(UnionCase):
    def test_entry_and_exit(self):
        entry = self.entered()
        again, answer = self.said("addorder", entry)
        self.assertTrue(answer.get("errmsg"), "3.1: a repeat says that the order already exists")
        word, answer = self.leave(entry)
        self.assertIs(word, True, answer)
        found = self.ok("queryorders", {"order_id": entry["order_id"], "park_id": "21782"})
        self.assertEqual([(d["car_number"], int(d["in_time"])) for d in found["data"]], [(entry["car_number"], entry["in_time"])])
        self.assertEqual(int(found["count"]), 1)

    def test_exit_without_entry(self):
        word, answer = self.leave({"park_id": "21782", "car_number": u"京NONE", "in_time": 1, "order_id": self.fresh("UX"),
                                   "empty_plot": 1})
        self.assertIn(word, (True, False), answer)

    def test_a_nonce_again(self):
        """2.1, 2.2: repeating the previous rand makes the request illegal."""
        data = dict(CALLS["updatepark"].sample, rand=self.fresh("0."))
        self.ok("updatepark", data)
        self.assertIs(self.said("updatepark", dict(data, empty_plot=31))[0], False)
        self.ok("updatepark", dict(data, rand=self.fresh("0.")))

    def test_a_lot_that_is_not_approved(self):
        """2.1, 2.2: not live before its approval."""
        lot = self.fresh("UN")
        self.ok("addpark", dict(CALLS["addpark"].sample, park_id=lot, rand=self.fresh("0.")))
        update = dict(CALLS["updatepark"].sample, park_id=lot)
        self.assertIs(self.said("updatepark", dict(update, rand=self.fresh("0.")))[0], False)
        self.assertEqual(self.sandbox.ask("POST", "/approve", {"park_id": lot})[0], 200)
        self.ok("updatepark", dict(update, rand=self.fresh("0.")))

    def test_codes(self):
        """2.3: type 2 and 3 want a lane; the answer repeats the type."""
        for kind in (1, 2, 3):
            answer = self.ok("getqrcodecloud", {"park_id": "21782", "type": kind, "channel_id": "A1"})
            self.assertEqual(int(answer["type"]), kind)
            self.assertTrue(answer["code_url"].startswith("http"))
        for kind in (2, 3):
            self.assertIs(self.said("getqrcodecloud", {"park_id": "21782", "type": kind})[0], False)

    def test_escaped(self):
        """3.2 escape, 3.8 finds it, 3.9 takes no amount."""
        entry = self.entered()
        self.assertIs(self.leave(entry, pay_type="escape", total="7.50")[0], True)
        found = self.ok("queryescape", {"park_id": "21782", "car_number": entry["car_number"], "time_temp": "1625209740"})
        self.assertEqual([o["orderId"] for o in found["escapeOrder"]], [entry["order_id"]])
        order = found["escapeOrder"][0]
        for member in ("parkName", "unionId", "parkId", "carNumber", "inTime", "outTime", "money", "duration"):
            self.assertIn(member, order)
        self.assertEqual(float(order["money"]), 7.5)
        again = dict(self.entered(entry["car_number"]), order_id=self.fresh("UE"))
        told = self.ok("addorder", again).get("escapeOrder", [])
        self.assertEqual([o["orderId"] for o in told], [entry["order_id"]], "3.1 tells of them at the entry")
        word, answer = self.said("bolinkescapePay", {"title": u"逃单补缴", "park_id": "21782", "order_id": entry["order_id"],
                                                     "car_number": entry["car_number"], "trade_no": "2017092133643%s" % int(time.time()),
                                                     "channel": "weixin", "pay_type": 0, "time_temp": "1490875218"})
        self.assertIn(word, (True, 2), answer)

    def test_etc_providers(self):
        """3.7: what my needs; the two colour tables; a provider must be named."""
        for provider in ("my", "cj", "jyyh", "ystx"):
            data = dict(ETC, pay_type=provider, order_id=self.entered()["order_id"], **(ETC_MY if provider == "my" else {}))
            word, answer = self.said("etcPayApi", data)
            self.assertIn(word, (True, 2) if provider == "jyyh" else (True,), answer)
            if word is True:
                for member in ETC_PAID:
                    self.assertIn(member, answer)
                self.assertEqual((answer["pay_type"], answer["order_id"]), ("etc", data["order_id"]))
        for member in ETC_MY:
            data = dict(ETC, pay_type="my", order_id=self.entered()["order_id"], **ETC_MY)
            del data[member]
            self.assertIs(self.said("etcPayApi", data)[0], False, member)
        self.assertIs(self.said("etcPayApi", dict(ETC, pay_type="xx"))[0], False)

    def test_etc_colours(self):
        for provider, wrong in (("my", (6, 9, 11)), ("cj", (7, 8, 10, 12))):
            for colour in wrong:
                data = dict(ETC, pay_type=provider, license_color=colour, order_id=self.entered()["order_id"], **ETC_MY)
                self.assertIs(self.said("etcPayApi", data)[0], False, (provider, colour))

    def test_prepay_and_refund(self):
        """3.4 gives an address; 4.2 of a serial nobody knows is refused."""
        entry = self.entered()
        order = dict(CALLS["bolinkparkpay"].sample, order_id=entry["order_id"], car_number=entry["car_number"],
                     trade_no="2017092%s" % int(time.time() * 1e6))
        answer = self.client.call("bolinkparkpay", order)[1]
        self.assertTrue(answer.get("payurl", "").startswith("http"), answer)
        self.assertIs(self.said("refund", {"park_id": "21782", "trade_no": "never-seen", "refund_money": 0.01})[0], False)

    def test_serials(self):
        """3.4: digits only, 16 to 32 long, never repeated; channel for pay_type 0, auth_code for 2."""
        sample = CALLS["bolinkparkpay"].sample
        good = "2017092%s" % int(time.time() * 1e6)
        for wrong in ({"trade_no": "123"}, {"trade_no": "A" * 20}, {"trade_no": "1" * 33}, {"pay_type": 2}, {"pay_type": 1}):
            data = dict(sample, trade_no=good)
            data.update(wrong)
            self.assertNotIn("payurl", self.client.call("bolinkparkpay", data)[1], wrong)
        without = {m: v for m, v in sample.items() if m != "channel"}
        self.assertNotIn("payurl", self.client.call("bolinkparkpay", dict(without, trade_no=good))[1])
        self.assertIn("payurl", self.client.call("bolinkparkpay", dict(sample, trade_no=good))[1])
        self.assertNotIn("payurl", self.client.call("bolinkparkpay", dict(sample, trade_no=good))[1], "the serial comes twice")

    def test_red_packets(self):
        """3.10: at least 1 and below 100 yuan, a serial of 16 to 28 letters and digits."""
        sample = CALLS["getWxRedPacketUrlNew"].sample
        for wrong in ({"amount": "0.99"}, {"amount": "100.00"}, {"trade_no": "short"}, {"trade_no": "a-b-c-d-e-f-g-h-i-j"}):
            data = dict(sample, trade_no="R2021%s" % int(time.time() * 1e6))
            data.update(wrong)
            word, answer = self.said("getWxRedPacketUrlNew", data)
            self.assertIs(word, False, (wrong, answer))
        answer = self.ok("getWxRedPacketUrlNew", dict(sample, trade_no="R2021%s" % int(time.time() * 1e6)))
        self.assertTrue(answer["data"]["url"].startswith("http"))

    def test_split(self):
        """3.5: 1 to 30 percent; 3.6 binds after the contract."""
        for percent in (0, 31):
            self.assertIs(self.said("lsaccountsplit", dict(CALLS["lsaccountsplit"].sample, percent=percent))[0], False, percent)
        self.assertTrue(self.ok("lsaccountsplit")["contract_url"].startswith("http"))

    def test_orders_by_page(self):
        """4.1: at least one of three; at most 100 a page."""
        self.assertIs(self.said("queryorders", {"page": 1})[0], False)
        answer = self.ok("queryorders", {"park_id": "21782", "page": 1, "size": 2})
        self.assertLessEqual(len(answer["data"]), 2)
        self.assertEqual(int(answer["page"]), 1)

    def test_cars_inside(self):
        """10.2 and 10.3 agree and grow with an entry."""
        before = int(self.ok("parking_business_count")["data"]["parking_business_count"])
        entry = self.entered()
        self.assertEqual(int(self.ok("parking_business_count")["data"]["parking_business_count"]), before + 1)
        listed = self.ok("parking_business_list", {"park_id": "21782"})["data"]["ext_order_id_list"]
        self.assertIn(entry["order_id"], listed)
        self.assertEqual(len(listed), before + 1)
        details = self.ok("parking_business_list", {"park_id": "21782", "detail_type": "2"})["data"]["order_detail_list"]
        mine = next(d for d in details if d["order_id"] == entry["order_id"])
        self.assertRegex(mine["in_time"], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")
        self.leave(entry)
        self.assertEqual(int(self.ok("parking_business_count")["data"]["parking_business_count"]), before)

    def test_invoices(self):
        """6.3: the number must not repeat; 6.5 tells the state; 6.2 wants server_id or park_id by type."""
        number = self.fresh("INV")
        data = dict(CALLS["openInvoice"].sample, invoice_order_no=number)
        status, answer = self.client.call("openInvoice", data)
        self.assertEqual((status, answer.get("code")), (200, 0), answer)
        answer = self.ok("queryOpenInvoiceStatus", {"invoice_order_no": number})
        self.assertIn(str(answer["data"]["status"]), "012345678")
        self.assertFalse(self.said("openInvoice", data)[0], "the number comes twice")
        self.assertFalse(self.said("queryOpenInvoiceStatus", {"invoice_order_no": "never"})[0])
        for kind in (3, 4):
            self.assertFalse(self.said("invoiceInfo", {"type": kind})[0], "type %d without its number" % kind)

    def test_onboarding_page(self):
        """2.4: UPPER(MD5(key + milliseconds)); a wrong signature is no page."""
        moment = "%d" % (time.time() * 1000)
        right = hashlib.md5((self.client.ukey + moment).encode()).hexdigest().upper()
        query = "/web/parkingos/gettoken?park_id=21782&union_id=200208&is_private_cloud=1&timestamp=%s&sign=%s"
        good = self.client.push(query % (moment, right), "", method="GET")
        bad = self.client.push(query % (moment, "0" * 32), "", method="GET")
        self.assertLess(good[0], 400)
        self.assertNotEqual((bad[0], bad[2]), (good[0], good[2]))

    def test_licence(self):
        """7: the browser is sent back with licence at the end of the query."""
        path = "/unionapi/getlicence?redirectUrl=https%3A%2F%2Fbaidu.com%3Fa%3D100%26b%3D200"
        status, headers, _ = self.client.push(path, "", method="GET")
        self.assertIn(status, (301, 302, 303, 307))
        self.assertRegex(headers["location"], r"^https://baidu\.com\?a=100&b=200&licence=[0-9A-Z]+$")


if __name__ == "__main__":
    unittest.main()
