"""What the platforms push and what they get for it (API 5, 9, 11; ETCP 9.1, 9.2)."""
import base64
import json
import time
import unittest

import normal_form
import parklink
from etcp_server import beijing
from listener_case import ETCP, UKEY, UNION, ListenerCase
from push_client import etcp_form, etcp_remade, etcp_text, union_body
from push_facts import PEOPLE, pushes


class Answers(ListenerCase):
    def test_every_push_of_bolink(self):
        """Each reaches the software once with its members; each answer is the bare object that its section prints."""
        for push in pushes(self.n()):
            with self.subTest(push.name, section=push.section):
                self.replies[push.name] = push.reply
                before = self.software.count()
                status, answer = self.client.ask(UNION, self.body(push))
                self.assertEqual(status, 200, answer)
                self.assertEqual(self.software.count(), before + 1)
                event = self.software.events[-1]
                self.assertEqual((event["platform"], event["service_name"], event["redelivered"]), ("union", push.name, False))
                for member, value in push.data.items():
                    self.assertEqual(event["data"][member], value, member)
                self.assertEqual(str(answer["state"]), str(push.reply["state"]))
                for member, value in push.echoes.items():
                    self.assertEqual(answer.get(member), value, member)
                self.assertFalse({"sign", "platform", "event_id", "token"} & set(answer), answer)
        self.assertEqual(set(self.software.codes), {parklink.OK})

    def test_headers_of_an_answer(self):
        status, headers, raw = self.client.push(UNION, self.body(self.one("outpark")))
        self.assertEqual(headers["content-type"].lower().replace(" ", ""), "application/json;charset=utf-8")
        self.assertEqual(int(headers["content-length"]), len(raw))

    def test_people(self):
        """9.1: a list, its service name beside it, signed over the text of the list."""
        status, answer = self.client.ask(UNION, union_body("people_data", PEOPLE, UKEY,
                                                           {"union_id": 200208, "service_name": "people_data"}))
        self.assertEqual((status, str(answer.get("state"))), (200, "1"), answer)
        event = self.software.events[-1]
        self.assertEqual(event["service_name"], "people_data")
        self.assertIn(u"张三", repr(event["data"]))

    def test_etcp(self):
        for data, name in ((self.entered(), "car_in"), (self.left(), "car_out")):
            status, answer = self.client.ask(ETCP, self.etcp_body(data))
            self.assertEqual((status, answer), (200, {"code": 0, "message": "ok"}))
            event = self.software.events[-1]
            self.assertEqual((event["platform"], event["service_name"]), ("etcp", name))
            self.assertEqual({m: event["data"].get(m) for m in data}, data)

    def test_readings_of_etcp(self):
        """What is signed in a flat push is not settled: text, remade, form, and auto for all of them."""
        bodies = {"text": (etcp_text, "application/json"), "remade": (etcp_remade, "application/json"),
                  "form": (etcp_form, "application/x-www-form-urlencoded;charset=utf-8")}
        for option in ("auto", "text", "remade", "form"):
            self.start(listen={"etcp_sign": option})
            for reading, (make, kind) in bodies.items():
                if option == "remade" and reading == "text":
                    continue  # compact text is its own re-making
                with self.subTest(option=option, reading=reading):
                    before = self.software.count()
                    status, answer = self.client.ask(ETCP, self.etcp_body(self.entered(), make), content_type=kind)
                    if option in ("auto", reading):
                        self.assertEqual((status, answer), (200, {"code": 0, "message": "ok"}))
                    else:
                        self.assertRefused(status, answer)
                    self.assertEqual(self.settle(before + (option in ("auto", reading))), before + (option in ("auto", reading)))

    def test_signment_anywhere(self):
        """The member may stand first, last or between others."""
        for place in range(3):
            data = self.entered()
            text = etcp_text(data, self.MERCHANT[0], self.MERCHANT[1])
            sign = text[-34:-2]
            rest = text[1:text.index(',"signment"')]
            member = '"signment":"%s"' % sign
            first, _, others = rest.partition(",")
            body = "{%s}" % ",".join(([member, first, others], [first, member, others], [first, others, member])[place])
            self.assertEqual(self.client.ask(ETCP, body), (200, {"code": 0, "message": "ok"}), body)

    MERCHANT = ("9827c6b5c6d94485b912b6e90c92a7ae", "noxxxxx")

    def test_empty_text_of_temporary_users(self):
        """fixParkingId and remainingDays are required and empty for temporary users."""
        data = dict(self.entered(), fixParkingId="", remainingDays="", userType="77")
        self.assertEqual(self.client.ask(ETCP, self.etcp_body(data)), (200, {"code": 0, "message": "ok"}))

    def test_text_that_is_signed_is_the_text_received(self):
        """Blanks, escapes, order, digits: no re-serialisation on the way to the check."""
        text = u'{ "state":1 ,"trade_no" :"x%d", "park_id":"21782","order_id":"\\u4eac\\/A", "service_name":"outpark",\n"total":0.040,' \
               u'"pay_type":"etc","pay_time":1.0e9,"car_number":"\\ud83d\\ude97\u2028","arrive_money":1.250,"fee":0,' \
               u'"account_type":1,"remark":"a}],\\"data\\":{","nested":{"data":{},"sign":"x"} }' % self.n()
        status, answer = self.client.ask(UNION, union_body(None, None, UKEY, text=text))
        self.assertEqual((status, answer.get("state")), (200, 1), answer)
        data = self.software.events[-1]["data"]
        self.assertEqual((data["order_id"], data["car_number"], data["remark"]), (u"京/A", u"\U0001f697\u2028", u'a}],"data":{'))

    def test_numbers_as_text_and_text_as_numbers(self):
        """The tables and the examples disagree about many types: both are taken."""
        push = self.one("refund")
        data = dict(push.data, state="1", refund_money="0.01", order_id=12345, union_id="200208")
        status, answer = self.client.ask(UNION, union_body(push.name, data, UKEY))
        self.assertEqual((status, answer.get("state")), (200, 1), answer)

    def test_members_as_misspelt(self):
        """5.6 prints arrive_moeny in its example."""
        push = self.one("refund")
        data = {("arrive_moeny" if m == "arrive_money" else m): v for m, v in push.data.items()}
        status, answer = self.client.ask(UNION, union_body(push.name, data, UKEY))
        self.assertEqual((status, answer.get("state")), (200, 1), answer)

    def test_unknown_members_and_sign_first(self):
        push = self.one("outpark")
        text = json.dumps(dict(push.data, service_name="outpark", brand_new={"a": [1]}))
        body = '{"sign":"%s","x":1,"data":%s}' % (normal_form.sign_text(text, UKEY), text)
        status, answer = self.client.ask(UNION, body)
        self.assertEqual((status, answer.get("state")), (200, 1), answer)
        self.assertEqual(self.software.events[-1]["data"]["brand_new"], {"a": [1]})

    def test_the_software_says_no(self):
        self.replies["outpark"] = {"state": 0, "errmsg": u"没有这个订单"}
        status, answer = self.client.ask(UNION, self.body(self.one("outpark")))
        self.assertEqual((status, answer["state"], answer["errmsg"]), (200, 0, u"没有这个订单"))

    def test_etcp_by_state(self):
        """A software that says state 0 to ETCP refuses, in ETCP's words."""
        self.start(answer=lambda event: {"code": 1, "message": u"失败"})
        status, answer = self.client.ask(ETCP, self.etcp_body(self.entered()))
        self.assertEqual((status, answer["code"], answer["message"]), (200, 1, u"失败"))

    def test_an_unknown_service(self):
        """Signed but in no document: the platform gets a refusal, or the software decides; never a silent success."""
        before = self.software.count()
        status, answer = self.client.ask(UNION, union_body("brand_new_service", {"a": 1}, UKEY))
        if self.software.count() == before:
            self.assertRefused(status, answer)


class Pictures(ListenerCase):
    """5.4: the reply is the picture itself, a byte stream, not JSON."""

    def ask(self, reply, kind="in"):
        self.replies["get_inpark_image"] = reply
        body = union_body("get_inpark_image", {"comid": "21782", "type": kind, "orderid": "AC_%d" % self.n()}, UKEY)
        return self.client.push(UNION, body)

    def test_bytes(self):
        for size in (1, 4, 70000, 1500000):
            picture = (b"\xff\xd8\xff\xe0\r\n\r\n0\r\n" + bytes(range(256)) * (size // 256 + 1))[:size]
            for kind in ("in", "out"):
                status, headers, body = self.ask({"content_base64": base64.b64encode(picture).decode(),
                                                  "content_type": "image/jpeg"}, kind)
                self.assertEqual((status, headers["content-type"], int(headers["content-length"])), (200, "image/jpeg", size))
                self.assertEqual(body, picture)
        self.assertEqual({e["data"]["type"] for e in self.software.events}, {"in", "out"})
        self.assertEqual(self.software.events[0]["data"]["comid"], "21782")

    def test_no_picture(self):
        """No default picture in its place, and no JSON that passes for one."""
        for reply in ({"state": 0, "errmsg": u"没有图片"}, {"state": 1}, {"content_base64": ""}):
            status, headers, body = self.ask(reply)
            self.assertEqual(status, 404, body)

    def test_what_is_no_picture(self):
        for reply in ({"content_base64": "####"}, {"content_base64": 1}, {"content_base64": "QUJD", "content_type": "a\r\nX-B: 1"}):
            status, headers, body = self.ask(reply)
            self.assertNotIn("x-b", headers)
            self.assertTrue(status >= 400 or body == b"ABC", (status, body[:50]))
            self.client.close()

    def test_without_its_name(self):
        """Its example has no service_name: the address may end with it."""
        self.replies["get_inpark_image"] = {"content_base64": "QUJD"}
        body = union_body(None, {"comid": "21782", "type": "in", "orderid": "AC_1"}, UKEY)
        self.assertEqual(self.client.push(UNION + "/get_inpark_image", body)[::2], (200, b"ABC"))


class Times(ListenerCase):
    """Within the documented time: a message that gets no answer within 5 s is sent again."""

    def test_no_answer_of_the_software(self):
        self.start(answer=lambda event: None)
        start = time.monotonic()
        status, answer = self.client.ask(UNION, self.body(self.one("query_price")), timeout=8)
        self.assertRefused(status, answer)
        self.assertLess(time.monotonic() - start, 5.0)

    def test_a_late_answer_serves_the_repeat(self):
        def slow(event):
            time.sleep(6)
            return {"state": 1}
        self.start(answer=slow)
        push = self.one("prepay_order")
        self.replies = {}
        status, answer = self.client.ask(UNION, self.body(push), timeout=8)
        self.assertRefused(status, answer)
        end = time.monotonic() + 3
        while time.monotonic() < end and not self.software.codes:
            time.sleep(0.05)
        status, answer = self.client.ask(UNION, self.body(push), timeout=8)
        self.assertEqual((status, answer.get("state")), (200, 1), answer)
        self.assertEqual(self.software.count(), 1)

    def test_answered_at_once(self):
        start = time.monotonic()
        self.client.ask(UNION, self.body(self.one("outpark")))
        self.assertLess(time.monotonic() - start, 1.0)

    def test_nobody_registered(self):
        """No callback, no poll: a refusal in proper form, so that the platform sends it again."""
        self.software.stop()
        handle = self.open({"union_id": "200208", "ukey": UKEY, "listen": {"addr": "127.0.0.1:0"}})
        self.addr = handle.status()["listener"]["addr"]
        start = time.monotonic()
        status, answer = self.pusher().ask(UNION, self.body(self.one("outpark")), timeout=8)
        self.assertRefused(status, answer)
        self.assertLess(time.monotonic() - start, 5.0)

    def test_freshness_of_etcp(self):
        """pushTime is signed and in Beijing's time; it may be left out."""
        for ago, taken in ((0, True), (600, True), (-60, True), (7200, False), (-7200, False), (8 * 3600, False)):
            before = self.software.count()
            status, answer = self.client.ask(ETCP, self.etcp_body(self.entered(ago)))
            if taken:
                self.assertEqual((status, answer), (200, {"code": 0, "message": "ok"}), ago)
            else:
                self.assertRefused(status, answer, ago)
            self.assertEqual(self.software.count(), before + taken, ago)
        data = self.entered()
        del data["pushTime"]
        self.assertEqual(self.client.ask(ETCP, self.etcp_body(data)), (200, {"code": 0, "message": "ok"}))
        self.assertEqual(self.client.ask(ETCP, self.etcp_body(dict(self.entered(), pushTime="yesterday")))[0] == 200 and
                         self.software.events[-1]["data"]["pushTime"] == "yesterday", False)

    def test_a_late_push_is_no_old_push(self):
        """9.2's example is sent almost a day after the exit: the times of the stay say nothing about freshness."""
        data = dict(self.left(), entranceTime="2017-08-17 18:44:19", exitTime="2017-08-19 12:07:19")
        self.assertEqual(self.client.ask(ETCP, self.etcp_body(data)), (200, {"code": 0, "message": "ok"}))

    def test_freshness_by_option(self):
        self.start(listen={"max_age_s": 0})
        self.assertEqual(self.client.ask(ETCP, self.etcp_body(self.entered(90000))), (200, {"code": 0, "message": "ok"}))
        self.start(listen={"max_age_s": 5})
        status, answer = self.client.ask(ETCP, self.etcp_body(self.entered(30)))
        self.assertRefused(status, answer)

    def test_an_old_plateless_car(self):
        """5.7 carries its time (timetemp): a message of hours ago opens no barrier."""
        push = self.one("nolicence_in_park")
        status, answer = self.client.ask(UNION, union_body(push.name, dict(push.data, timetemp=int(time.time()) - 7200), UKEY))
        self.assertRefused(status, answer)
        self.assertEqual(self.settle(), 0)
        self.assertGreater(beijing().year, 2000)


if __name__ == "__main__":
    unittest.main()
