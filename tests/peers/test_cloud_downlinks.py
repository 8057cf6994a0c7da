"""The library against the cloud's referee: what the cloud asks, and how it is answered (cloud-tcp 6 and 7)."""
import json
import shutil
import tempfile
import time
import unittest

import cloud_facts as facts
import cloud_faults as fault
import parklink
from library_case import CloudCase

MEMBER = json.loads(u'{"car_type_id":"null","operate_type":1,"create_time":1795289143,"end_time":2,"limit_day_type":0,'
                    u'"begin_time":1,"pid":"pk1","card_id":"m1","update_time":1795289143,"p_lot":"","price":280.5,'
                    u'"car_number":"京A1,京A2","name":"李四","amount_receivable":300.0,"tel":"139"}')

# Messages as the cloud builds them, and the members that their answers must carry.
MESSAGES = {
    "price_sync": {"price_id": "p1", "car_type": "x", "describe": "d", "create_time": 1, "operate_type": 1},
    "month_card_sync": {"package_id": "k1", "name": "n", "price": 300.0, "operate_type": 2, "create_time": 1},
    "month_member_sync": MEMBER,
    "collector_sync": {"user_id": "u1", "name": "n", "create_time": 1, "operate_type": 1},
    "car_type_sync": {"car_type_id": "c1", "name": "n", "sort": 1, "create_time": 1, "operate_type": 1},
    "blackuser_sync": {"black_uuid": "b1", "car_number": u"京A1", "operator": "o", "create_time": 1, "resume": "", "operate_type": 3},
    "month_pay_sync": {"trade_no": "t1", "card_id": "m1", "pay_time": 1, "amount_receivable": "1.00", "amount_pay": "1.00",
                       "pay_type": "cash", "collector": "c", "buy_month": 1, "car_number": u"京A1", "user_id": "u"},
    "gate_sync": {"channel_id": "g1", "passname": "n", "passtype": "0", "operate_type": 1},
    "lock_car": {"order_id": "A1", "is_locked": 1, "lock_key": "1", "comid": "7", "local_id": "box1"},
    "query_prodprice": {"trade_no": "t1", "card_id": "m1", "months": "2", "start_time": "1", "comid": "7", "local_id": "box1"},
    "deliver_ticket": {"ticket_id": "1", "ticket_type": 1, "duration": 60, "ticket_unit": 1, "money": "", "car_number": u"京A1",
                       "order_id": "A1", "create_time": 1, "limit_day": 2, "time_range": "", "shopName": "s", "remark": ""},
    "operate_liftrod": {"channel_id": "A1", "channel_name": "n", "operate": 0},
    "confirm_order_inform": {"event_id": "e1", "order_id": "A1", "car_number": u"京A1", "channel_id": "A1", "comid": "7"},
}


class Relayed(CloudCase):
    """A downlink of Bolink's that the cloud carries."""
    allowed = ("data_without_data_target",)  # its answer names bolink

    def test_the_guards_word_on_an_answer_is_no_downlink(self):
        """The guard looks at every name that contains in_park, and refuses the second equal answer under that name."""
        p = self.polled()
        asked = {"car_number": "62000F9", "park_id": "21782", "channel_id": "A11", "timetemp": 150000946}
        for i in (1, 2):
            self.cloud.downlink("nolicence_in_park", asked)
            event = p.poll(2000)
            self.assertEqual(event["data"], asked)
            p.reply(event["event_id"], {"state": 1, "errmsg": ""})
            self.assertTrue(self.cloud.wait(lambda: len(self.cloud.requests("nolicence_in_park")) == i), "no answer %d" % i)
        self.works(p)
        self.assertIsNone(p.poll(100))


class Events(CloudCase):
    def test_every_downlink_and_its_answer(self):
        """Wrapped and flat ones reach the software whole; the answer is complete though the software says only state."""
        p = self.polled()
        for name, members in sorted(MESSAGES.items()):
            with self.subTest(name):
                self.cloud.downlink(name, members)
                event = p.poll(2000)
                self.assertIsNotNone(event, "it did not arrive")
                self.assertEqual((event["service_name"], event["platform"], event["kind"], event["interface"]),
                                 (name, "cloud", "request", "cloud." + name))
                self.assertFalse(event["redelivered"])
                for member, value in members.items():
                    self.assertEqual(event["data"][member], value)
                more = {"price": "12.50"} if name == "query_prodprice" else {}
                p.reply(event["event_id"], dict(more, state=1, errmsg=""))
                self.assertTrue(self.cloud.wait(lambda: [a for a in self.cloud.answers if a.name == name]), "no answer came")
                answer = [a for a in self.cloud.answers if a.name == name][0].data
                for key in facts.ANSWER_KEYS[name]:
                    self.assertEqual(answer[key], members[key], key)
                self.assertEqual(answer["state"], 1)

    def test_what_is_to_be_returned_unchanged(self):
        """SDK 3.5, 3.12, 3.18, 3.28, 3.42: the software says only state, the answer repeats what the document wants back."""
        p = self.polled()
        settled = {"sync_id": 1561426304865070, "in_time": 5, "operate_type": 2, "car_number": u"京A1"}
        for name, members, repeated in (
                ("price_sync", {"price_id": "p1", "operate_type": 2}, {"operate_type": 2}),
                ("deliver_ticket", {"ticket_id": "1", "ticket_type": 2, "car_number": u"京A1", "order_id": "", "have_order": 0},
                 {"have_order": 0, "car_number": u"京A1"}),
                ("operate_liftrod", {"channel_id": "A1", "operate": 0, "liftrod_id": "f05385f9"}, {"liftrod_id": "f05385f9"}),
                ("order_zero_balance", settled, {"In_time": 5}),
                ("manual_inpark", {"message_uuid": "u1", "car_number": u"京A1", "in_time": 5}, {"car_number": u"京A1"})):
            with self.subTest(name):
                self.cloud.downlink(name, members)
                p.reply(p.poll(2000)["event_id"], {"state": 1})
                self.assertTrue(self.cloud.wait(lambda: self.cloud.requests(name)), "no answer came")
                answer = self.cloud.requests(name)[0].data
                self.assertEqual({key: answer.get(key) for key in repeated}, repeated)

    def test_numbers_keep_their_digits(self):
        p = self.polled()
        self.cloud.sent_downlinks.append(("month_card_sync", {}, 0))
        self.cloud.live()[0].send(u'{"data":{"package_id":"k1","price":300.00,"operate_type":1},"service_name":"month_card_sync"}')
        out = parklink.ctypes.c_void_p()
        self.assertEqual(parklink.library().parklink_poll(p.handle, 2000, parklink.ctypes.byref(out)), 0)
        self.assertIn("300.00", parklink._taken(out))

    def test_unknown_downlinks_are_handed_up(self):
        p = self.polled()
        self.cloud.downlink("brand_new", {"a": 1, "b": {"c": None}}, wrapped=True)
        event = p.poll(2000)
        self.assertEqual((event["service_name"], event["data"]), ("brand_new", {"a": 1, "b": {"c": None}}))
        self.cloud.downlink("brand_new_2", {"a": 1}, wrapped=False)
        event = p.poll(2000)
        self.assertEqual((event["service_name"], event["data"]["a"]), ("brand_new_2", 1))

    def test_a_later_result_asks_for_nothing(self):
        """Results of records come under their service_name (SDK 3), also of Bolink's that the cloud carried on."""
        p = self.polled()
        for name in ("upload_park_data", "code_url"):
            self.cloud.downlink(name, {"state": 1, "errmsg": ""}, wrapped=False)
            event = p.poll(2000)
            self.assertEqual((event["service_name"], event["kind"], event["event_id"]), (name, "result", 0))

    def test_a_downlink_is_never_a_reply(self):
        """A downlink's name, state or order_id do not make it the answer to the request under way."""
        p = self.polled()
        data = self.order()
        self.cloud.sent_downlinks.append(("lock_car", {}, 0))
        self.cloud.plan("in_park", fault.glued(before=[
            {"service_name": "lock_car", "order_id": data["order_id"], "is_locked": 1, "state": 1}]))
        reply = p.in_park(data)
        self.assertEqual(reply["service_name"], "in_park")
        self.assertEqual(p.poll(1000)["service_name"], "lock_car")

    def test_many_at_once(self):
        p = self.polled()
        for i in range(50):
            self.cloud.downlink("lock_car", {"order_id": "A%d" % i, "is_locked": 1})
        seen = [p.poll(2000)["data"]["order_id"] for i in range(50)]
        self.assertEqual(seen, ["A%d" % i for i in range(50)])


class Answers(CloudCase):
    def answer_to(self, name):
        self.assertTrue(self.cloud.wait(lambda: [a for a in self.cloud.answers if a.name == name], 3), "no answer came")
        return [a for a in self.cloud.answers if a.name == name][-1].data

    def test_inside_the_callback(self):
        p = self.link()
        p.on_downlink(lambda event: p.reply(event["event_id"], {"state": 1}))
        self.cloud.downlink("lock_car", MESSAGES["lock_car"])
        self.assertEqual(self.answer_to("lock_car")["order_id"], "A1")

    def test_later_from_another_thread(self):
        p = self.link()
        events = []
        p.on_downlink(events.append)
        self.cloud.downlink("lock_car", MESSAGES["lock_car"])
        self.assertTrue(self.cloud.wait(lambda: events))
        time.sleep(0.2)
        self.assertEqual(self.cloud.answers, [])
        p.reply(events[0]["event_id"], {"state": 1})
        self.assertEqual(self.answer_to("lock_car")["is_locked"], 1)

    def test_by_upload_as_with_the_original_sdk(self):
        p = self.polled()
        self.cloud.downlink("lock_car", MESSAGES["lock_car"])
        p.poll(2000)
        code, _ = p.try_upload({"service_name": "lock_car", "data_target": "cloud", "order_id": "A1", "is_locked": 1, "state": 1})
        self.assertEqual(code, parklink.OK, p.last_error)
        self.assertEqual(self.answer_to("lock_car")["order_id"], "A1")

    def test_members_of_the_software_pass(self):
        """card_id_local renames the card: it must go out with operate_type."""
        p = self.polled()
        self.cloud.downlink("month_member_sync", MEMBER)
        p.reply(p.poll(2000)["event_id"], {"state": 1, "card_id_local": "LOCAL7"})
        answer = self.answer_to("month_member_sync")
        self.assertEqual((answer["card_id"], answer["card_id_local"], answer["operate_type"]), ("m1", "LOCAL7", 1))

    def test_refusals_pass(self):
        p = self.polled()
        self.cloud.downlink("query_prodprice", MESSAGES["query_prodprice"])
        p.reply(p.poll(2000)["event_id"], {"state": 0, "errmsg": u"没有_x"})
        answer = self.answer_to("query_prodprice")
        self.assertEqual((answer["state"], answer["errmsg"], answer["trade_no"]), (0, u"没有_x", "t1"))

    def test_nobody_listens(self):
        """A well-formed refusal, not silence."""
        self.link()
        for name in ("lock_car", "price_sync"):
            self.cloud.downlink(name, MESSAGES[name])
            answer = self.answer_to(name)
            self.assertEqual(answer["state"], 0)
            self.assertTrue(answer.get("errmsg"))

    def test_an_event_is_answered_once(self):
        p = self.polled()
        self.cloud.downlink("lock_car", MESSAGES["lock_car"])
        event = p.poll(2000)
        p.reply(event["event_id"], {"state": 1})
        self.answer_to("lock_car")
        self.assertEqual(p.try_reply(event["event_id"], {"state": 0}), parklink.UNKNOWN_EVENT)
        self.assertEqual(p.try_reply(999999, {"state": 0}), parklink.UNKNOWN_EVENT)
        time.sleep(0.2)
        self.assertEqual(len(self.cloud.answers), 1)

    def test_an_answer_of_more_than_a_line(self):
        """Refused here with the size; the event can still be answered."""
        p = self.polled(validation="off")
        self.cloud.downlink("lock_car", MESSAGES["lock_car"])
        event = p.poll(2000)
        self.assertEqual(p.try_reply(event["event_id"], {"state": 0, "errmsg": u"京" * 400}), parklink.TOO_LARGE)
        self.assertEqual(p.try_reply(event["event_id"], {"state": 0, "errmsg": "short"}), parklink.OK)
        self.assertEqual(self.answer_to("lock_car")["errmsg"], "short")

    def test_answered_after_a_reconnection(self):
        """The question came by a connection that is gone: the answer goes out on the new one, with the new token."""
        p = self.polled()
        self.cloud.downlink("lock_car", MESSAGES["lock_car"])
        event = p.poll(2000)
        self.cloud.live()[0].close()
        self.assertTrue(self.cloud.wait(lambda: len(self.cloud.logins()) == 2 and self.cloud.live() and
                                        self.cloud.live()[-1].logged_in))
        time.sleep(0.05)
        self.assertEqual(p.try_reply(event["event_id"], {"state": 1}), parklink.OK)
        self.assertEqual(self.answer_to("lock_car")["order_id"], "A1")

    def test_answered_while_the_link_is_down(self):
        """Either an error that says so, or the answer arrives when the link is up again."""
        p = self.polled()
        self.cloud.downlink("lock_car", MESSAGES["lock_car"])
        event = p.poll(2000)
        port = self.cloud.port
        self.cloud.refuse_connections()
        self.cloud.live()[0].close()
        time.sleep(0.3)
        code = p.try_reply(event["event_id"], {"state": 1})
        self.cloud.start(port)
        if code != parklink.OK:
            self.assertEqual(code, parklink.OFFLINE)
            self.wait_up()
            self.assertEqual(p.try_reply(event["event_id"], {"state": 1}), parklink.OK)
        self.answer_to("lock_car")

    def test_a_downlink_right_behind_the_login_reply(self):
        self.cloud.sent_downlinks.append(("lock_car", {}, 0))
        self.cloud.plan("login", fault.glued(after=[dict(MESSAGES["lock_car"], service_name="lock_car")]))
        p = self.polled()
        self.assertEqual(p.poll(2000)["service_name"], "lock_car")

    def test_scheduled_until_acknowledged(self):
        """Repeated every round until state 1; each repetition is answered, and the last one ends it."""
        p = self.link()
        states = [0, 1]
        events = []

        def handle(event):
            events.append(event)
            p.reply(event["event_id"], {"state": states.pop(0) if states else 1})
        p.on_downlink(handle)
        done = self.cloud.schedule("price_sync", MESSAGES["price_sync"], every=0.3)
        self.assertTrue(done.wait(5), "never acknowledged")
        self.assertEqual(len(self.cloud.answers), len(self.cloud.sent_downlinks))

    def repeated(self, **more):
        """The same message twice, both answered; what the software saw of it."""
        p = self.link(**more)
        events = []

        def handle(event):
            events.append(event)
            p.reply(event["event_id"], {"state": 1})
        p.on_downlink(handle)
        for i in (1, 2):
            self.cloud.downlink("gate_sync", MESSAGES["gate_sync"])
            self.assertTrue(self.cloud.wait(lambda: len(self.cloud.answers) == i), "no answer %d" % i)
        self.assertEqual([a.data["state"] for a in self.cloud.answers], [1, 1])
        return events

    def test_a_repetition_is_answered_again(self):
        self.repeated()

    def test_a_repetition_is_known_where_there_is_a_store(self):
        folder = tempfile.mkdtemp(prefix="parklink-store-")
        self.addCleanup(shutil.rmtree, folder, True)
        events = self.repeated(store={"dir": folder})
        if len(events) > 1:
            self.assertTrue(events[1]["redelivered"])

    def test_a_changed_record_is_not_a_repetition(self):
        p = self.link()
        events = []
        p.on_downlink(lambda event: (events.append(event), p.reply(event["event_id"], {"state": 1})))
        self.cloud.downlink("price_sync", MESSAGES["price_sync"])
        self.cloud.downlink("price_sync", dict(MESSAGES["price_sync"], describe="other", update_time=9))
        self.assertTrue(self.cloud.wait(lambda: len(self.cloud.answers) == 2))
        self.assertEqual([e["data"]["describe"] for e in events], ["d", "other"])

    def test_uploads_from_inside_the_callback(self):
        """A callback may upload; it must not lock the link up."""
        p = self.link()
        codes = []

        def handle(event):
            codes.append(p.try_upload(self.log_record())[0])
            p.reply(event["event_id"], {"state": 1})
        p.on_downlink(handle)
        self.cloud.downlink("lock_car", MESSAGES["lock_car"])
        self.answer_to("lock_car")
        self.assertIn(codes[0], (parklink.OK, parklink.IN_CALLBACK))

    def test_a_slow_callback_does_not_stop_the_link(self):
        p = self.link()
        p.on_downlink(lambda event: (time.sleep(1.6), p.reply(event["event_id"], {"state": 1})))
        self.cloud.downlink("lock_car", MESSAGES["lock_car"])
        beats = len(self.cloud.heartbeats())
        self.works(p)
        self.assertTrue(self.cloud.wait(lambda: self.cloud.answers, 4))
        self.assertGreater(len(self.cloud.heartbeats()), beats)

    def test_beside_a_talkative_log(self):
        """A registered log at its lowest level and events at once: nothing locks up."""
        p = self.link(up=False, log={"level": "trace"})
        p.on_log()
        self.wait_up()
        self.cloud.downlink("price_sync", MESSAGES["price_sync"])  # nobody listens
        self.answer_to("price_sync")
        p.on_downlink(lambda event: p.reply(event["event_id"], {"state": 1}))
        self.cloud.downlink("lock_car", MESSAGES["lock_car"])
        self.assertEqual(self.answer_to("lock_car")["order_id"], "A1")
        self.works(p)
        self.assertEqual(p.close(2000), parklink.OK)

    def test_beside_a_talkative_log_by_poll(self):
        p = self.polled(log={"level": "trace"})
        p.on_log()
        self.cloud.downlink("lock_car", MESSAGES["lock_car"])
        call = self.beside(p.poll, 2000)
        self.assertEqual(call.wait(5)["service_name"], "lock_car")

    def test_destroyed_once(self):
        p = self.link()
        p.on_downlink(lambda event: None)
        p.close()
        self.assertEqual(p.destroyed, 1)


if __name__ == "__main__":
    unittest.main()
