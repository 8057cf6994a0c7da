"""The library against Bolink's referee: the long poll and what comes through it (SDK http-download, 3.1 to 3.4, 4.1, 4.2)."""
import shutil
import tempfile
import time
import unittest

import bolink_faults as fault
import parklink
from library_case import BolinkCase


class Polls(BolinkCase):
    def endless(self, no_message):
        self.bolink.no_message, self.bolink.hold, self.bolink.poll_within = no_message, 0.3, 1.0
        p = self.link()
        time.sleep(1.6)
        self.assertGreaterEqual(len(self.bolink.downloads()), 3)
        self.bolink.push({"service_name": "query_price", "order_id": "A1", "park_id": "21782", "pay_scene": 1, "car_number": "x"})
        self.assertEqual(p.poll(2000)["service_name"], "query_price")

    def test_no_message_as_empty_object(self):
        self.endless("empty_object")

    def test_no_message_as_500(self):
        self.endless("500")

    def test_no_message_as_empty_body(self):
        self.endless("empty_body")

    def test_no_message_as_state_0(self):
        self.endless("state0")

    def test_uploads_pass_while_a_poll_is_held(self):
        self.bolink.hold = 30
        p = self.link()
        start = time.monotonic()
        for _ in range(5):
            self.works(p)
        self.assertLess(time.monotonic() - start, 2)
        self.assertEqual(self.bolink.polling(), 1)

    def test_close_interrupts_a_poll(self):
        self.bolink.hold = 30
        p = self.link()
        self.bolink.wait(self.bolink.polling)
        start = time.monotonic()
        self.assertEqual(p.close(2000), parklink.OK)
        self.assertLess(time.monotonic() - start, 1.0)
        self.assertTrue(self.bolink.wait(lambda: not self.bolink.polling(), 2), "the poll stays open")

    def test_faults_of_a_poll(self):
        """Whatever becomes of a poll, exactly one follows, and messages still arrive."""
        p = self.link()
        for step in (fault.status(502), fault.truncated(1), fault.close_before(process=False), fault.close_after(),
                     fault.raw(b"garbage\r\n\r\n", process=False), fault.reply("<html>busy</html>", process=False),
                     fault.reply("[1]", process=False), fault.chunked(), fault.slow(0.2), fault.status(404)):
            self.bolink.plan("download", step)
            self.assertTrue(self.bolink.wait(lambda: self.bolink.plans[-1][2] == 0, 3))
            time.sleep(0.1)
        self.bolink.push({"service_name": "query_price", "order_id": "A1", "park_id": "21782", "pay_scene": 1, "car_number": "x"})
        self.assertEqual(p.poll(4000)["service_name"], "query_price")

    def test_messages_in_every_dress(self):
        p = self.link()
        for i, step in enumerate((fault.chunked(1), fault.chunked(7, trailer=True), fault.slow(0.3), fault.until_close(),
                                  fault.close_after(True))):
            self.bolink.plan("download", step, times=1)
            self.bolink.wait(lambda: self.bolink.plans[-1][2] == 0, 3)
            self.bolink.push({"service_name": "query_price", "order_id": u"京%d" % i, "park_id": "21782", "pay_scene": 1})
            self.assertEqual(p.poll(3000)["data"]["order_id"], u"京%d" % i)

    def test_retry_after(self):
        self.link()
        self.bolink.plan("download", fault.unavailable(1))
        self.assertTrue(self.bolink.wait(lambda: self.bolink.plans[-1][2] == 0, 3))
        count = len(self.bolink.downloads())
        self.assertTrue(self.bolink.wait(lambda: len(self.bolink.downloads()) > count, 4), "it polls no more")


class Downlinks(BolinkCase):
    MESSAGES = {
        "query_price": ({"car_number": u"京A1", "order_id": "A1", "park_id": "21782", "pay_scene": 1, "query_order_no": "q1"},
                        {"state": 1, "price": "6.0", "duration": 50, "errmsg": ""}),
        "prepay_order": ({"car_number": u"京A1", "prepay": 6.5, "pay_channel": 2, "order_id": "A1", "park_id": "21782",
                          "trade_no": "t1", "query_time": 1, "pay_time": 1, "arrive_money": 6.5, "fee": 0, "account_type": 1,
                          "remark": "r"}, {"state": 1, "errmsg": "", "prepay": "6.5"}),
        "nolicence_in_park": ({"car_number": "62000F9", "park_id": "21782", "channel_id": "A11", "timetemp": 150000946},
                              {"state": 1, "errmsg": ""}),
        "outpark": ({"state": 1, "order_id": "A1", "trade_no": "t2", "pay_type": "wallet", "total": 0.04, "errmsg": u"支付成功",
                     "pay_time": 1, "car_number": u"京A1", "arrive_money": 0.01, "fee": 0.0, "account_type": 1, "remark": "r"},
                    {"state": 1, "errmsg": ""}),
    }

    def answer_to(self, name, count=1):
        found = lambda: [a for a in self.bolink.answers if a.name == name]
        self.assertTrue(self.bolink.wait(lambda: len(found()) >= count, 3), "no answer came")
        return found()[-1].data

    def test_every_downlink_and_its_answer(self):
        p = self.link()
        for name, (members, answer) in sorted(self.MESSAGES.items()):
            with self.subTest(name):
                self.bolink.push(dict(members, service_name=name))
                event = p.poll(2000)
                self.assertEqual((event["service_name"], event["platform"], event["kind"]), (name, "bolink", "request"))
                for member, value in members.items():
                    self.assertEqual(event["data"][member], value)
                p.reply(event["event_id"], answer)
                sent = self.answer_to(name)
                self.assertEqual(sent["state"], 1)

    def test_inside_the_callback_and_by_upload(self):
        p = self.link(poll=False)
        members, answer = self.MESSAGES["query_price"]

        def handle(event):
            if event["data"]["query_order_no"] == "q1":
                p.reply(event["event_id"], answer)
            else:
                p.try_upload(dict(answer, service_name="query_price", data_target="bolink", order_id="A1", park_id="21782",
                                  query_order_no="q2"))
        p.on_downlink(handle)
        self.bolink.push(dict(members, service_name="query_price"))
        self.assertEqual(self.answer_to("query_price")["query_order_no"], "q1")
        self.bolink.push(dict(members, service_name="query_price", query_order_no="q2"))
        self.assertEqual(self.answer_to("query_price", 2)["query_order_no"], "q2")

    def test_an_exit_and_its_result_at_once(self):
        """outpark is the exit's name and the result's: they are told apart."""
        p = self.link()
        data = self.leave(self.order(), pay_type="wallet")
        self.assertEqual(p.try_out_park(data)[0], parklink.PENDING)
        self.bolink.push(dict(self.MESSAGES["outpark"][0], service_name="outpark", order_id=data["order_id"]))
        event = p.poll(2000)
        self.assertEqual((event["service_name"], event["data"]["trade_no"]), ("outpark", "t2"))
        p.reply(event["event_id"], {"state": 1, "errmsg": ""})
        answer = self.answer_to("outpark")
        self.assertEqual((answer["trade_no"], answer["order_id"]), ("t2", data["order_id"]))
        self.assertEqual(len(self.bolink.stored_data("outpark")), 1)

    def test_nobody_listens(self):
        self.link(poll=False)
        members, _ = self.MESSAGES["query_price"]
        self.bolink.push(dict(members, service_name="query_price"))
        answer = self.answer_to("query_price")
        self.assertEqual(answer["state"], 0)

    def test_unknown_downlinks_are_handed_up(self):
        p = self.link()
        self.bolink.push({"service_name": "brand_new", "a": 1})
        event = p.poll(2000)
        self.assertEqual((event["service_name"], event["data"]["a"]), ("brand_new", 1))

    def test_the_token_dies_before_the_answer(self):
        p = self.link()
        members, answer = self.MESSAGES["query_price"]
        self.bolink.push(dict(members, service_name="query_price"))
        event = p.poll(2000)
        self.bolink.plan("query_price", fault.kill_token_first())
        p.reply(event["event_id"], answer)
        self.answer_to("query_price")

    def test_a_payment_told_twice(self):
        """With a store: told to the software once (or marked), acknowledged twice, by trade_no."""
        folder = tempfile.mkdtemp(prefix="parklink-store-")
        self.addCleanup(shutil.rmtree, folder, True)
        p = self.link(poll=False, store={"dir": folder})
        members, answer = self.MESSAGES["prepay_order"]
        events = []
        p.on_downlink(lambda event: (events.append(event), p.reply(event["event_id"], answer)))
        for i in (1, 2):
            self.bolink.push(dict(members, service_name="prepay_order"))
            self.assertEqual(self.answer_to("prepay_order", i)["order_id"], "A1")
        self.assertTrue(len(events) == 1 or events[1]["redelivered"])
        self.bolink.push(dict(members, service_name="prepay_order", trade_no="t9"))  # another payment of the same order
        self.answer_to("prepay_order", 3)
        self.assertEqual(events[-1]["data"]["trade_no"], "t9")

    def test_balance(self):
        """update_balance is kept and answered by pay_status; it needs no reply."""
        p = self.link()
        self.bolink.push({"service_name": "update_balance", "car_number": u"新FFFDD3", "balance": "12.30", "autopay": 1})
        self.assertTrue(self.bolink.wait(lambda: not self.bolink.queue))
        ask = {"service_name": "pay_status", "car_number": u"新FFFDD3", "order_id": "A1"}
        end = time.monotonic() + 2
        while p.pay_status(ask).get("balance") != "12.30" and time.monotonic() < end:
            time.sleep(0.02)
        status = p.pay_status(ask)
        self.assertEqual((status["state"], status["balance"], status["is_exist"], status["net_status"], status["autopay"]),
                         (1, "12.30", 1, 1, 1))
        self.assertEqual((status["service_name"], status["car_number"], status["order_id"]),
                         ("pay_status", u"新FFFDD3", "A1"))
        unknown = p.pay_status(dict(ask, car_number=u"京NOBODY"))
        self.assertEqual((unknown["is_exist"], unknown["net_status"]), (0, 1))
        time.sleep(0.2)
        self.assertEqual([r.name for r in self.bolink.requests()], ["login"])
        self.bolink.push({"service_name": "update_balance", "car_number": u"新FFFDD3", "balance": "0.00", "autopay": 0})
        end = time.monotonic() + 2
        while p.pay_status(ask)["balance"] != "0.00" and time.monotonic() < end:
            time.sleep(0.02)
        self.assertEqual(p.pay_status(ask)["balance"], "0.00")
        # Number or text: read alike, answered as documented.
        self.bolink.push({"service_name": "update_balance", "car_number": u"新FFFDD3", "balance": 7.5, "autopay": "1"})
        end = time.monotonic() + 3
        while p.pay_status(ask)["balance"] != "7.5" and time.monotonic() < end:
            time.sleep(0.02)
        status = p.pay_status(ask)
        self.assertEqual((status["balance"], status["autopay"]), ("7.5", 1))

    def test_net_status_offline(self):
        p = self.link()
        self.bolink.stop()
        end = time.monotonic() + 4
        ask = {"service_name": "pay_status", "car_number": "x", "order_id": "A1"}
        while p.pay_status(ask)["net_status"] != 0 and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(p.pay_status(ask)["net_status"], 0)

if __name__ == "__main__":
    unittest.main()
