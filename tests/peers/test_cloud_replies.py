"""The library against the cloud's referee: which reply belongs to which request (cloud-tcp 4, 4.1, 5 and 7)."""
import time
import unittest

import cloud_facts as facts
import cloud_faults as fault
import parklink
from library_case import REQUEST_TIMEOUT, CloudCase


class OneAtATime(CloudCase):
    def test_eight_callers(self):
        """Never two requests under way, and each caller gets its own answer."""
        p = self.link(cloud={"request_timeout_ms": 8000})
        self.cloud.patience = float("inf")
        self.cloud.plan("park_log", fault.late(0.01), times=1000)

        def work():
            for _ in range(6):
                record = self.log_record()
                self.assertEqual(p.upload(record)["log_id"], record["log_id"])
        for thread in [self.beside(work) for _ in range(8)]:
            thread.wait(20)
        self.assertEqual(len(self.cloud.stored), 48)

    def test_answers_to_downlinks_wait_their_turn(self):
        p = self.polled()
        self.cloud.patience = float("inf")
        self.cloud.plan("park_log", fault.late(0.5))
        call = self.beside(p.upload, self.log_record())
        self.cloud.wait(lambda: self.cloud.requests("park_log"))
        self.cloud.downlink("lock_car", {"order_id": "A1", "is_locked": 1})
        p.reply(p.poll()["event_id"], {"state": 1, "order_id": "A1", "is_locked": 1})
        self.assertEqual(call.wait()["state"], 1)
        self.assertTrue(self.cloud.wait(lambda: self.cloud.answers))

    def test_requests_wait_for_an_answers_empty_frame(self):
        p = self.polled()
        self.cloud.patience = float("inf")
        self.cloud.plan("lock_car", fault.late(0.4))
        self.cloud.downlink("lock_car", {"order_id": "A1", "is_locked": 1})
        p.reply(p.poll()["event_id"], {"state": 1, "order_id": "A1", "is_locked": 1})
        self.cloud.wait(lambda: self.cloud.requests("lock_car"))
        self.assertEqual(p.upload(self.log_record())["state"], 1)


class Frames(CloudCase):
    def test_pieces_inside_characters(self):
        p = self.link()
        data = dict(self.order(), order_id=u"京A%s" % self.fresh())
        self.cloud.plan("in_park", fault.pieces(pause=0.005))
        self.assertEqual(p.in_park(data)["order_id"], data["order_id"])
        data = self.order()
        self.cloud.plan("in_park", fault.pieces(pause=0.001, size=1))
        self.assertEqual(p.in_park(data)["order_id"], data["order_id"])

    def test_login_reply_in_pieces(self):
        self.cloud.plan("login", fault.pieces(pause=0.002, size=1))
        self.works(self.link())

    def test_several_frames_in_one_segment(self):
        p = self.polled()
        data = self.order()
        self.cloud.sent_downlinks.append(("lock_car", {}, 0))
        self.cloud.plan("in_park", fault.glued(
            before=["", "0x12", {"service_name": "lock_car", "order_id": "Z", "is_locked": 1}],
            after=["", {"service_name": "something_new", "a": 1}]))
        self.assertEqual(p.in_park(data)["order_id"], data["order_id"])
        self.assertEqual(p.poll()["service_name"], "lock_car")
        self.assertEqual(p.poll()["service_name"], "something_new")

    def test_other_separators(self):
        """Split on CR and LF, drop empty pieces."""
        p = self.link()
        for before, after in ((b"", b"\n"), (b"\r\n", b"\r\n"), (b"\n\n\r\r", b"\r\r\n")):
            data = self.order()
            text = '{"service_name":"in_park","state":1,"errmsg":"","order_id":"%s"}' % data["order_id"]
            self.cloud.plan("in_park", fault.instead(before + text.encode() + after, excuse=False))
            self.assertEqual(p.in_park(data)["order_id"], data["order_id"])

    def test_rubbish_between(self):
        """Frames that are no JSON, no UTF-8, no object: the answer is still found, nothing breaks."""
        p = self.link()
        for rubbish in (b"\nnonsense\r", b"\n\xff\xfe{\r", b"\n[1,2]\r", b'\n"text"\r', b"\n{\"a\":\r", b"\n\0\0\r",
                        b"\n" + b"[" * 5000 + b"\r", b"\n{\"service_name\":5,\"x\":1}\r", b"\n0x13\r"):
            data = self.order()
            text = '\n{"service_name":"in_park","state":1,"errmsg":"","order_id":"%s"}\r' % data["order_id"]
            self.cloud.plan("in_park", fault.instead(rubbish + text.encode()))
            code, _ = p.try_in_park(data)
            if code != parklink.OK:
                self.assertIn(code, (parklink.PROTOCOL, parklink.BROKEN, parklink.TIMEOUT), rubbish)
            self.works(p)

    def test_a_very_long_message(self):
        """Server messages have no stated limit."""
        p = self.polled()
        long = u"京" * 200000
        self.cloud.downlink("price_sync", {"price_id": "p1", "operate_type": 1, "describe": long})
        event = p.poll(5000)
        self.assertEqual(event["data"]["describe"], long)
        self.works(p)

    def test_empty_frames_everywhere(self):
        self.cloud.noise = True
        p = self.link()
        for _ in range(3):
            self.works(p)


class Timeouts(CloudCase):
    def test_no_answer(self):
        p = self.link()
        self.cloud.plan("in_park", fault.never())
        start = time.monotonic()
        code, _ = p.try_in_park(self.order())
        self.assertEqual(code, parklink.TIMEOUT)
        self.assertLess(abs(time.monotonic() - start - REQUEST_TIMEOUT), 0.8)
        self.works(p)

    def test_a_late_answer_is_nobody_elses(self):
        p = self.link()
        first = self.order()
        self.cloud.plan("in_park", fault.hold())
        self.assertEqual(p.try_in_park(first)[0], parklink.TIMEOUT)
        self.cloud.plan("in_park", fault.hold())
        second = self.order()
        call = self.beside(lambda: self.answered(p, lambda: p.try_in_park(second)))
        self.assertTrue(self.cloud.wait(lambda: len(self.cloud.held) == 2))
        self.cloud.release(0)
        time.sleep(0.1)
        self.cloud.release(0)
        code, reply = call.wait()
        self.assertEqual((code, reply and reply["order_id"]), (parklink.OK, second["order_id"]))

    def test_a_late_nameless_answer_is_nobody_elses(self):
        """Nothing in it says whose it is: after a time-out the next request must not take it for its own."""
        p = self.link(validation="off")
        self.cloud.known["upload_confirm_order"].add("E-old")
        make = lambda event: {"service_name": "upload_confirm_order", "data_target": "cloud", "event_id": event,
                              "car_number": u"京A12345", "upload_time": 1490875218, "channel_id": "A1"}
        self.cloud.plan("upload_confirm_order", fault.hold())
        self.assertEqual(p.try_upload(make("E-old"))[0], parklink.TIMEOUT)
        self.cloud.plan("upload_confirm_order", fault.hold())
        call = self.beside(lambda: self.answered(p, lambda: p.try_upload(make("E-new"))))
        self.assertTrue(self.cloud.wait(lambda: len(self.cloud.held) == 2))
        self.cloud.release(0)   # "event_id 已存在!" for the first
        time.sleep(0.1)
        self.cloud.release(0)
        code, reply = call.wait()
        self.assertEqual(code, parklink.OK, "the answer to another event was taken: %s" % reply)

    def test_a_late_nameless_error_is_nobody_elses(self):
        """An envelope error for a request that timed out, while an entry is under way: the entry was not refused."""
        p = self.link()
        self.cloud.plan("park_log", fault.hold())
        self.assertEqual(p.try_upload(self.log_record())[0], parklink.TIMEOUT)
        self.cloud.plan("in_park", fault.hold())
        data = self.order()
        call = self.beside(lambda: self.answered(p, lambda: p.try_in_park(data)))
        self.assertTrue(self.cloud.wait(lambda: len(self.cloud.held) == 2))
        self.cloud.held.pop(0).conn.send({"state": 0, "errmsg": u"数据格式错误!"})
        time.sleep(0.1)
        self.cloud.release(0)
        code, reply = call.wait()
        self.assertEqual((code, len(self.stored(data["order_id"]))), (parklink.OK, 1), reply)

    def test_a_late_empty_frame_is_nobody_elses(self):
        """The empty frame that follows an answer to a downlink comes too late, while an entry is under way."""
        p = self.polled()
        self.cloud.plan("lock_car", fault.hold())
        self.cloud.downlink("lock_car", {"order_id": "A1", "is_locked": 1})
        p.reply(p.poll()["event_id"], {"state": 1, "order_id": "A1", "is_locked": 1})
        self.assertTrue(self.cloud.wait(lambda: self.cloud.held))
        self.cloud.plan("in_park", fault.hold())
        data = self.order()
        call = self.beside(lambda: self.answered(p, lambda: p.try_in_park(data), codes=(parklink.OFFLINE, parklink.RATE_LIMITED)))
        self.assertTrue(self.cloud.wait(lambda: len(self.cloud.held) == 2, 8), "the entry never came")
        self.cloud.release(0)
        time.sleep(0.1)
        self.cloud.release(0)
        code, _ = call.wait()
        self.assertEqual(code, parklink.OK, p.last_error)

    def test_the_connection_breaks(self):
        """Taken or not, nobody knows: an error, and never a success."""
        p = self.link()
        for process in (True, False):
            for abruptly in (True, False):
                self.cloud.plan("in_park", fault.close_before(process, abruptly))
                code, _ = p.try_in_park(self.order())
                self.assertEqual(code, parklink.BROKEN)
                self.works(p)

    def test_answered_then_closed(self):
        p = self.link()
        self.cloud.plan("in_park", fault.close_after())
        self.assertEqual(p.in_park(self.order())["state"], 1)
        self.works(p)

    def test_half_an_answer_then_closed(self):
        p = self.link()

        def half(job):
            job.excuse()
            job.conn.send_bytes(job.frames()[:20])
            job.conn.close()
        self.cloud.plan("in_park", half)
        self.assertEqual(p.try_in_park(self.order())[0], parklink.BROKEN)
        self.works(p)


class ResendGuard(CloudCase):
    def test_repeated_after_a_lost_answer(self):
        """The same bytes again; the refusal means that it was received."""
        p = self.link()
        for lost in (fault.never(), fault.close_before()):
            data = self.order()
            self.cloud.plan("in_park", lost)
            self.assertIn(p.try_in_park(data)[0], (parklink.TIMEOUT, parklink.BROKEN))
            code, _ = self.answered(p, lambda: p.try_in_park(data))
            self.assertEqual(code, parklink.OK)
            self.assertEqual(len(self.stored(data["order_id"])), 1)
            signs = [r.sign for r in self.cloud.requests("in_park") if r.data.get("order_id") == data["order_id"]]
            self.assertEqual(len(signs), 2)
            self.assertEqual(len(set(signs)), 1, "the record was changed")

    def test_repeated_after_an_answer(self):
        p = self.link()
        data = self.order()
        self.assertEqual(p.in_park(data)["state"], 1)
        self.assertEqual(p.try_in_park(data)[0], parklink.OK)

    def test_third_form_of_an_order(self):
        """The guard refuses the third upload of an order_id with one token, whatever is in it: that is not 'received'."""
        p = self.link()
        data = self.order()
        for i in range(3):
            code, _ = self.answered(p, lambda: p.try_in_park(dict(data, remark=str(i))))
            if i < 2:
                self.assertEqual(code, parklink.OK)
            kept = [d["remark"] for d in self.stored(data["order_id"])]
            self.assertEqual(code == parklink.OK, str(i) in kept, "code %s, stored %s" % (code, kept))

    def test_not_stored_is_never_told_as_done(self):
        """Refused for its token, then the connection breaks, then repeated by the caller."""
        p = self.link()
        data = self.order()
        self.cloud.plan("in_park", lambda job: (job.server.kill_tokens(), job.answer(), job.conn.close()))
        code, _ = p.try_in_park(data)
        for _ in range(3):
            if code == parklink.OK:
                break
            code, _ = self.answered(p, lambda: p.try_in_park(data))
        if code == parklink.OK:
            self.assertEqual(len(self.stored(data["order_id"])), 1, "told as done, but never stored")
        else:
            self.assertEqual(code, parklink.NOT_STORED)

    def test_an_exit_and_an_order_with_the_same_members(self):
        """The sign does not cover the service name: service_name inside data keeps them apart."""
        p = self.link(validation="off")
        data = self.leave(self.order())
        self.assertEqual(p.out_park(data)["state"], 1)
        self.assertEqual(p.upload(dict(data, service_name="upload_order", data_target="cloud"))["state"], 1)
        self.assertEqual(len(self.cloud.stored), 2)


class OldGuard(CloudCase):
    def server_options(self):
        return {"old_guard": True}

    def test_its_answer_means_received(self):
        p = self.link()
        record = self.log_record()
        self.assertEqual(p.upload(record)["state"], 1)
        code, _ = p.try_upload(record)  # {"state":1,"errmsg":"error:sign重复"}, nameless
        self.assertEqual(code, parklink.OK)


class Replies(CloudCase):
    def test_envelope_errors(self):
        """Nameless: they belong to the request under way, are refusals, and keep the connection."""
        p = self.link()
        for text in (facts.WRONG_SIGN, facts.NO_DATA, u"数据格式错误!", facts.NO_SERVICE_NAME):
            self.cloud.plan("park_log", fault.nameless(text))
            code, reply = p.try_upload(self.log_record())
            self.assertEqual(code, parklink.REFUSED, text)
            self.assertIn(text, p.last_error + str(reply))
            self.assertEqual(p.upload(self.log_record())["state"], 1)

    def test_envelope_errors_of_the_login_row(self):
        """Another login may mend them; if not, they are told."""
        p = self.link()
        for text in (facts.NO_LOT_IN_ROW, facts.NO_SUCH_LOT_NOW):
            self.cloud.plan("park_log", fault.nameless(text), times=2)
            record = self.log_record()
            code, _ = p.try_upload(record)
            self.assertEqual(code == parklink.OK, bool([d for d in self.cloud.stored_data("park_log")
                                                        if d["log_id"] == record["log_id"]]))
            if code != parklink.OK:
                self.assertIn(code, (parklink.REFUSED, parklink.LOGIN_REFUSED, parklink.OFFLINE), p.last_error)
                self.assertIn(text, p.last_error)
            self.cloud.plans[:] = []
            time.sleep(1.5)  # it may pause before its next login
            self.works(p)

    def test_refusal_of_an_entry(self):
        p = self.link(validation="off")
        code, reply = p.try_in_park(self.order(car_number=""))
        self.assertEqual((code, reply["errmsg"]), (parklink.REFUSED, facts.BAD_ENTRY))

    def test_nothing_matched(self):
        p = self.link(validation="off")
        code, reply = p.try_upload({"service_name": "upload_collector", "data_target": "cloud", "user_id": "u9", "name": "x",
                                    "operate_type": 2})
        self.assertEqual((code, reply["state"]), (parklink.REFUSED, 0))

    def test_renamed_reply(self):
        p = self.link(validation="off")
        reply = p.upload({"service_name": "upload_car_type", "data_target": "cloud", "car_type_id": "c1", "name": "x",
                          "operate_type": 1})
        self.assertEqual((reply["service_name"], reply["cartype_id"]), ("car_type_upload", "c1"))

    def test_nameless_reply(self):
        p = self.link(validation="off")
        record = {"service_name": "upload_confirm_order", "data_target": "cloud", "event_id": self.fresh("E"),
                  "car_number": u"京A12345", "upload_time": 1490875218, "channel_id": "A1"}
        self.assertEqual(p.upload(record)["state"], 1)
        code, reply = p.try_upload(record)
        self.assertEqual((code, reply["errmsg"]), (parklink.REFUSED, u"event_id 已存在!"))

    def test_price_reply_with_error_member(self):
        p = self.link(validation="off")
        code, reply = p.try_upload({"service_name": "upload_price", "data_target": "cloud", "price_id": ""})
        self.assertEqual(code, parklink.REFUSED)
        self.assertIn(u"必须的字段", reply["error"])

    def test_texts_for_numbers(self):
        """state may come as text."""
        p = self.link()
        data = self.order()
        self.cloud.plan("in_park", fault.reply({"service_name": "in_park", "state": "1", "errmsg": "",
                                                "order_id": data["order_id"]}))
        self.assertEqual(p.try_in_park(data)[0], parklink.OK)
        data = self.order()
        self.cloud.plan("in_park", fault.reply({"service_name": "in_park", "state": "0", "errmsg": "x",
                                                "order_id": data["order_id"]}))
        self.assertEqual(p.try_in_park(data)[0], parklink.REFUSED)

    def test_all_uplinks_that_the_cloud_answers(self):
        p = self.link(validation="off")
        for name, (reply_name, key, reply_key, _) in sorted(facts.SERVICES.items()):
            record = {"service_name": name, "data_target": "cloud", "operate_type": 1, "order_id": self.fresh(), "car_type": "x",
                      "car_number": u"京A12345", "operate_time": 1, "content": "x", "in_time": 1}
            record[key] = self.fresh("K")
            reply = p.upload(record)
            self.assertEqual(reply["state"], 1, name)
            if reply_key:
                self.assertEqual(reply[reply_key], record[key])

    def test_a_service_the_server_does_not_know(self):
        """An empty frame is no answer one could wait for: an error or a time-out, and the link goes on."""
        p = self.link(validation="off")
        code, _ = p.try_upload({"service_name": "query_month_card", "data_target": "cloud", "card_id": "1"})
        self.assertNotEqual(code, parklink.OK)
        self.works(p)


if __name__ == "__main__":
    unittest.main()
