"""What the sandbox's platforms ask of a lot (cloud-tcp 6; SDK 3.1 to 3.4, 4.2), sent through its control API."""
import json
import time
import unittest

from sandbox_case import QUIET, BolinkCase, SandboxCase


class ControlCase(SandboxCase):
    def post(self, path, **body):
        status, answer = self.sandbox.ask("POST", path, body)
        self.assertLess(status, 300, (path, answer))
        return answer

    def setUp(self):
        self.post("/reset")

    def forget(self):
        self.post("/reset")


class Scheduled(ControlCase):
    """6.1"""

    def queue(self, service, made=0, **data):
        self.post("/sync", service_name=service, data=data, made_s_ago=made)

    def run_round(self):
        self.post("/sync/run")

    def price(self, client, timeout=1.0):
        message = client.reply(timeout)
        return message and message["data"]["price_id"]

    def test_wrapped_and_answered(self):
        client = self.ready()
        self.queue("price_sync", price_id="p1", car_type=None, describe="d", operate_type=1)
        self.run_round()
        self.assertEqual(client.reply(), {"service_name": "price_sync",
                                          "data": {"price_id": "p1", "describe": "d", "operate_type": 1}})
        self.run_round()
        self.assertEqual(self.price(client), "p1")  # not answered: again
        self.assertEqual(client.answer("price_sync", price_id="p1", state=0), "")
        self.run_round()
        self.assertEqual(self.price(client), "p1")  # refused: again
        self.assertEqual(client.answer("price_sync", price_id="other", state=1), "")
        self.run_round()
        self.assertEqual(self.price(client), "p1")  # another number: again
        self.assertEqual(client.answer("price_sync", price_id="p1", state=1), "")
        self.run_round()
        self.assertIsNone(client.reply(QUIET))      # done

    def test_month_member_needs_operate_type(self):
        client = self.ready()
        self.queue("month_member_sync", card_id="m1", pid="k", car_type_id="null", price=280.5, amount_receivable=300.0,
                   p_lot="", operate_type=1)
        self.run_round()
        self.assertEqual(client.reply()["data"]["card_id"], "m1")
        client.answer("month_member_sync", card_id="m1", state=1)
        self.run_round()
        self.assertIsNotNone(client.reply())
        self.assertEqual(client.answer("month_member_sync", card_id="m1", state=1, operate_type=1, card_id_local="L7"), "")
        self.run_round()
        self.assertIsNone(client.reply(QUIET))

    def test_month_pay_has_two_keys(self):
        client = self.ready()
        self.queue("month_pay_sync", trade_no="t1", card_id="m1", amount_pay="1.00")
        self.run_round()
        self.assertIsNotNone(client.reply())
        client.answer("month_pay_sync", trade_no="t1", state=1)
        self.run_round()
        self.assertIsNotNone(client.reply())
        client.answer("month_pay_sync", trade_no="t1", card_id="m1", state=1)
        self.run_round()
        self.assertIsNone(client.reply(QUIET))

    def test_newest_first_at_most_twenty(self):
        client = self.ready()
        for i in range(23):
            self.queue("price_sync", made=100 - i, price_id="p%d" % i, operate_type=1)
        self.run_round()
        seen = []
        while True:
            one = self.price(client, QUIET)
            if one is None:
                break
            seen.append(one)
        self.assertEqual(seen, ["p%d" % i for i in range(22, 2, -1)])

    def test_dropped_after_two_days(self):
        client = self.ready()
        self.queue("price_sync", made=2 * 86400 + 10, price_id="old", operate_type=1)
        self.run_round()
        self.assertIsNone(client.reply(QUIET))

    def test_receiver(self):
        old = self.ready()
        new = self.ready()
        self.queue("gate_sync", channel_id="g1", operate_type=1)
        self.run_round()
        self.assertIsNotNone(new.reply())
        self.assertIsNone(old.reply(0.2))

    def test_not_without_local_id(self):
        client = self.client(local_id="")
        client.login()
        self.queue("gate_sync", channel_id="g1", operate_type=1)
        self.run_round()
        self.assertIsNone(client.reply(QUIET))

    def test_receive_cloud_does_not_matter(self):
        client = self.client()
        client.login(set_params={"receive_cloud": 0})
        self.queue("gate_sync", channel_id="g1", operate_type=1)
        self.run_round()
        self.assertIsNotNone(client.reply())

    def test_offline_rounds_are_skipped(self):
        self.queue("gate_sync", channel_id="g1", operate_type=1)
        self.run_round()
        client = self.ready()
        self.assertIsNone(client.reply(0.2))
        self.run_round()
        self.assertIsNotNone(client.reply())


class Direct(ControlCase):
    """6.2"""

    def send(self, **message):
        return self.sandbox.ask("POST", "/downlink", {"link": "cloud", "message": message})

    def lock(self):
        return self.send(service_name="lock_car", order_id="A1", is_locked=1, lock_key="1")

    def test_flat_and_once(self):
        client = self.ready()
        self.lock()
        message = client.reply()
        self.assertEqual((message["service_name"], message["order_id"], message["is_locked"]), ("lock_car", "A1", 1))
        for member in ("data", "token", "sign"):
            self.assertNotIn(member, message)
        self.assertIsNone(client.reply(QUIET))
        self.assertEqual(client.answer("lock_car", order_id="A1", is_locked=1, state=1), "")

    def test_to_the_newest_row(self):
        old, new = self.ready(), self.ready()
        self.lock()
        self.assertIsNotNone(new.reply())
        self.assertIsNone(old.reply(0.2))

    def test_no_local_id_needed(self):
        client = self.client(local_id="")
        client.login()
        self.lock()
        self.assertIsNotNone(client.reply())

    def test_receive_cloud(self):
        for value in (0, "0"):
            client = self.client()
            client.login(set_params={"receive_cloud": value})
            self.lock()
            self.assertIsNone(client.reply(0.25), value)
            self.forget()
        for value in (1, "1", "x"):
            client = self.client()
            client.login(set_params={"receive_cloud": value})
            self.lock()
            self.assertIsNotNone(client.reply(), value)
            self.forget()

    def lift(self, gate):
        self.send(service_name="operate_liftrod", channel_id=gate, channel_name="n", operate=0)

    def test_gates(self):
        named = self.ready(local_id="box_channels_A1_102")
        newer = self.ready(local_id="newer_box")
        for gate in ("A1", "102"):
            self.lift(gate)
            self.assertEqual(named.reply()["channel_id"], gate)
        for gate in ("10", "2", "A"):
            self.lift(gate)
            self.assertIsNone(named.reply(0.2), gate)
        self.assertIsNone(newer.reply(0.2))
        self.send(service_name="confirm_order_inform", event_id="e1", order_id="A1", car_number="x", channel_id="A1")
        self.assertEqual(named.reply()["event_id"], "e1")

    def test_a_taken_slot_gets_nothing(self):
        client = self.ready(local_id="victim2")
        thief = self.client(local_id="victim2", key="WRONG")
        thief.login()
        self.assertTrue(thief.closed())
        self.lock()
        self.assertIsNone(client.reply(QUIET))
        self.assertEqual(client.login()["state"], 1)
        self.lock()
        self.assertIsNotNone(client.reply())

    def test_unknown_messages_can_be_sent(self):
        client = self.ready()
        self.send(service_name="brand_new", a={"b": [1]})
        self.assertEqual(client.reply()["a"], {"b": [1]})


class BolinkDownlinks(BolinkCase):
    FLAGS = ("--poll-hold", "2", "--pay-delay", "100")

    def setUp(self):
        self.sandbox.ask("POST", "/reset", {})
        self.caller = self.http()
        self.poller = self.http(login=False)
        self.poller.token = self.caller.token

    def post(self, path, **body):
        status, answer = self.sandbox.ask("POST", path, body)
        self.assertLess(status, 300, (path, answer))
        return answer

    def start_poll(self):
        self.poller.send(self.poller.prefix + "/bpd/download.do", json.dumps({"token": self.poller.token}))

    def message(self, timeout=4):
        code, _, text = self.poller.receive(timeout)
        try:
            return json.loads(text) if code == 200 and text else {}
        except ValueError:
            return {}

    def next(self, name, polls=3):
        """The next message of this name."""
        for _ in range(polls):
            self.start_poll()
            message = self.message()
            if message.get("service_name") == name:
                return message
        self.fail("no %s" % name)

    def test_nothing_to_say(self):
        start = time.monotonic()
        self.start_poll()
        message = self.message()
        self.assertNotIn("service_name", message)
        self.assertGreater(time.monotonic() - start, 1.5)

    def test_a_waiting_poll_gets_the_message_at_once(self):
        self.start_poll()
        time.sleep(0.2)
        start = time.monotonic()
        self.post("/downlink", link="bolink", message={"service_name": "query_price", "order_id": "A1", "park_id": "21782",
                                                       "pay_scene": 1})
        self.assertEqual(self.message()["order_id"], "A1")
        self.assertLess(time.monotonic() - start, 1.0)
        answer = self.caller.upload("query_price", {"state": 1, "order_id": "A1", "price": "6.0", "duration": 5, "park_id": "21782"})
        self.assertNotIn("error", str(answer.get("errmsg", "")))

    def test_messages_wait_for_the_next_poll(self):
        for i in range(3):
            self.post("/downlink", link="bolink", message={"service_name": "query_price", "order_id": "W%d" % i,
                                                           "park_id": "21782", "pay_scene": 1})
        self.assertEqual([self.next("query_price")["order_id"] for _ in range(3)], ["W0", "W1", "W2"])

    def test_balance(self):
        """4.2: after an entry of a plate that can pay without contact, and again only when something changed."""
        self.post("/balance", car_number=u"京B1", balance="28.30", autopay=1)
        self.caller.upload("inpark", self.order(car_number=u"京B1"))
        message = self.next("update_balance")
        self.assertEqual((message["car_number"], message["balance"], message["autopay"]), (u"京B1", "28.30", 1))

    def result_of(self, answer, pay_type="wallet"):
        self.post("/electronic", answer=answer)
        data = self.order(car_number=u"京B2")
        self.caller.upload("inpark", data)
        leave = dict(data, out_time=1490879218, duration=66, pay_type=pay_type, auth_code="1", total="6.00",
                     amount_receivable="6.00", electronic_pay="6.00", out_uid="1", out_channel_id="B1")
        reply = self.caller.upload("outpark", leave)
        self.assertEqual((reply["state"], reply["order_id"]), (2, data["order_id"]))
        message = self.next("outpark")
        self.assertEqual(message["order_id"], data["order_id"])
        self.assertEqual(message["pay_type"], pay_type)
        self.assertTrue(message["trade_no"])
        return message

    def test_exit_paid(self):
        message = self.result_of("paid")
        self.assertEqual(message["state"], 1)
        for member in ("total", "errmsg", "pay_time", "car_number"):
            self.assertIn(member, message)
        self.caller.upload("outpark", {"state": 1, "errmsg": "", "order_id": message["order_id"], "trade_no": message["trade_no"]})

    def test_exit_refused(self):
        self.assertEqual(self.result_of("refused", "sweepcode")["state"], 0)

    def enter(self, phone):
        """What the driver would see is in the answer; it may wait for the lot."""
        import threading
        thread = threading.Thread(target=self.sandbox.ask,
                                  args=("POST", "/driver/enter", {"phone": phone, "channel_id": "A11"}), daemon=True)
        thread.start()
        return thread

    def test_without_a_plate(self):
        self.enter("13900000001")
        message = self.next("nolicence_in_park")
        self.assertEqual((message["channel_id"], message["park_id"]), ("A11", "21782"))
        self.assertIsInstance(message["timetemp"], int)
        self.enter("13900000001")  # again within 10 s: a duplicate, not sent
        self.start_poll()
        self.assertNotIn("service_name", self.message())
        self.caller.upload("nolicence_in_park", {"state": 1, "errmsg": "", "car_number": message["car_number"],
                                                 "timetemp": message["timetemp"]})

    def test_scan_and_pay(self):
        import threading
        data = self.order(car_number=u"京B3")
        self.caller.upload("inpark", data)
        threading.Thread(target=self.sandbox.ask, args=("POST", "/driver/scan", {"order_id": data["order_id"], "pay_scene": 1}),
                         daemon=True).start()
        query = self.next("query_price")
        self.assertEqual((query["order_id"], query["park_id"], query["pay_scene"]), (data["order_id"], "21782", 1))
        answer = {"state": 1, "price": "6.00", "duration": 50, "order_id": data["order_id"], "park_id": "21782", "errmsg": ""}
        if query.get("query_order_no"):
            answer["query_order_no"] = query["query_order_no"]
        self.caller.upload("query_price", answer)
        time.sleep(0.1)
        pay = {"query_order_no": query["query_order_no"]} if query.get("query_order_no") else {
            "order_id": data["order_id"], "amount": "6.00"}
        threading.Thread(target=self.sandbox.ask, args=("POST", "/driver/pay", pay), daemon=True).start()
        paid = self.next("prepay_order")
        self.assertEqual((paid["order_id"], float(paid["prepay"])), (data["order_id"], 6.0))
        for member in ("trade_no", "pay_channel", "pay_time", "park_id"):
            self.assertIn(member, paid)
        self.caller.upload("prepay_order", {"state": 1, "order_id": data["order_id"], "prepay": "6.00", "park_id": "21782"})
        # 2.19: once paid, the query says so
        rows = self.caller.upload("query_order", {"order_id": data["order_id"], "time_temp": 1516934957889})["data"]
        self.assertEqual([(r["order_id"], r["state"]) for r in rows], [(data["order_id"], 1)])


if __name__ == "__main__":
    unittest.main()
