"""The sandbox's cloud against cloud-tcp 4.1 and 5: resend guard, uplinks, echoes."""
import unittest

import cloud_facts as facts
from sandbox_case import QUIET, SandboxCase


class S41Guard(SandboxCase):
    def handled(self, name, data):
        return {"service_name": name, "state": 0, "errmsg": facts.HANDLED, "order_id": data["order_id"],
                "car_number": data["car_number"]}

    def test_same_bytes_twice(self):
        client = self.ready()
        for name in facts.ORDERS:
            data = dict(self.order(), service_name=name, data_target="cloud")
            self.assertEqual(client.ask(name, data)["state"], 1)
            self.assertEqual(client.ask(name, data), self.handled(name, data))

    def test_refusal_names_only_what_data_has(self):
        client = self.ready()
        data = {"service_name": "in_park", "x": self.fresh()}
        client.ask("in_park", data)
        self.assertEqual(client.ask("in_park", data), {"service_name": "in_park", "state": 0, "errmsg": facts.HANDLED})

    def test_third_time_of_an_order_id(self):
        client = self.ready()
        data = self.in_park(self.order())
        for i, state in enumerate((1, 1, 0, 0)):
            answer = client.ask("in_park", dict(data, remark=str(i)))
            self.assertEqual(answer["state"], state, i)
        self.assertEqual(answer, self.handled("in_park", data))
        out = dict(data, service_name="out_park", remark="o")
        self.assertEqual(client.ask("out_park", out)["state"], 1)  # each service has its own two
        client.login()
        self.assertEqual(client.ask("in_park", dict(data, remark="new"))["state"], 1)  # and each token

    def test_dead_token_remembers_the_sign(self):
        client = self.ready()
        data = self.in_park(self.order())
        good, client.token = client.token, "f" * 32
        self.assertEqual(client.ask("in_park", data), {"state": 0, "errmsg": facts.DEAD_TOKEN})
        client.token = good
        self.assertEqual(client.ask("in_park", data), self.handled("in_park", data))
        self.assertEqual(client.ask("in_park", dict(data, again=1)), {"service_name": "in_park", "state": 1, "errmsg": "",
                                                                     "order_id": data["order_id"]})

    def test_memory_spans_connections_and_logins(self):
        one, two = self.ready(), self.ready()
        data = self.in_park(self.order())
        self.assertEqual(one.ask("in_park", data)["state"], 1)
        self.assertEqual(two.ask("in_park", data), self.handled("in_park", data))

    def test_the_sign_does_not_cover_the_service_name(self):
        client = self.ready()
        data = self.order()
        self.assertEqual(client.ask("out_park", data)["state"], 1)
        self.assertEqual(client.ask("upload_order", data), self.handled("upload_order", data))

    def test_contained_names_are_guarded(self):
        client = self.ready()
        data = self.order()
        client.send("my_in_park_2", data)
        self.assertEqual(client.frame(), "")
        self.assertEqual(client.ask("my_in_park_2", data), self.handled("my_in_park_2", data))

    def test_other_services_are_not_guarded(self):
        client = self.ready()
        for _ in range(4):
            self.assertAlive(client)


class S5Uplinks(SandboxCase):
    def setUp(self):
        self.up = self.ready()

    def ask(self, service, /, **data):
        return self.up.upload(service, **data)

    def test_in_park(self):
        data = self.order()
        self.assertEqual(self.ask("in_park", **data),
                         {"service_name": "in_park", "errmsg": "", "state": 1, "order_id": data["order_id"]})
        for bad in (dict(self.order(), order_id=""), dict(self.order(), car_number=" "), {"x": self.fresh()}):
            answer = self.ask("in_park", **bad)
            self.assertEqual((answer["errmsg"], answer["service_name"]), (facts.BAD_ENTRY, "in_park"), bad)
            self.assertNotEqual(answer["state"], 1)

    def test_out_park_checks_nothing(self):
        data = self.order()
        self.assertEqual(self.ask("out_park", **data),
                         {"service_name": "out_park", "errmsg": "", "state": 1, "order_id": data["order_id"]})
        self.assertEqual(self.ask("out_park", x=self.fresh())["state"], 1)

    def test_upload_order(self):
        data = self.order()
        self.assertEqual(self.ask("upload_order", **data),
                         {"service_name": "upload_order", "errmsg": "", "state": 1, "order_id": data["order_id"]})

    def test_collector(self):
        uid = self.fresh("u")
        nothing = {"user_id": uid, "service_name": "upload_collector", "errmsg": "", "state": 0}
        self.assertEqual(self.ask("upload_collector", user_id=uid, name="x"), nothing)  # absent means update
        self.assertEqual(self.ask("upload_collector", user_id=uid, name="x", operate_type=2), nothing)
        self.assertEqual(self.ask("upload_collector", user_id=uid, name="x", operate_type=1), dict(nothing, state=1))
        self.assertEqual(self.ask("upload_collector", user_id=uid, name="y", operate_type=1), dict(nothing, state=1))
        self.assertEqual(self.ask("upload_collector", user_id=uid, name="z"), dict(nothing, state=1))

    def test_unknown_collector_is_only_a_warning(self):
        self.assertEqual(self.ask("work_record", uuid="w1", user_id="nobody", start_time=1, state=0),
                         {"service_name": "work_record", "uuid": "w1", "state": 1, "errmsg": u"收费员不存在"})
        self.assertEqual(self.ask("upload_liftrod", liftrod_id="l1", user_id="nobody", create_time=1, reason=1),
                         {"service_name": "upload_liftrod", "liftrod_id": "l1", "state": 1, "errmsg": u"收费员不存在"})
        self.ask("upload_collector", user_id="somebody", name="x", operate_type=1)
        self.assertEqual(self.ask("work_record", uuid="w2", user_id="somebody", start_time=1, state=0)["errmsg"], "")

    def test_worksite_must_be_a_number(self):
        self.up.send("work_record", {"service_name": "work_record", "uuid": "w9", "user_id": "x", "worksite_id": "abc"})
        self.assertSilent(self.up)

    def test_gate(self):
        gate = self.fresh("g")
        self.assertEqual(self.ask("upload_gate", channel_id=gate, operate_type=2, passname="x"),
                         {"service_name": "upload_gate", "channel_id": gate, "state": 0, "errmsg": u"上传成功"})
        self.assertEqual(self.ask("upload_gate", channel_id=gate, operate_type=1, passname="x", passtype=0, worksite_id=1),
                         {"service_name": "upload_gate", "channel_id": gate, "state": 1, "errmsg": u"上传成功"})
        self.assertEqual(self.ask("upload_gate", channel_id="", operate_type=1)["errmsg"], u"通道编号不能为空")
        self.assertEqual(self.ask("upload_gate", channel_id=gate, operate_type=7)["errmsg"], u"未知的操作类型operate_type")

    def record(self, service, key, answer_key=None, reply_name=None, **more):
        value = self.fresh("r")
        shape = {"service_name": reply_name or service, "errmsg": "", answer_key or key: value}
        more[key] = value
        self.assertEqual(self.ask(service, operate_type=2, **more), dict(shape, state=0))
        self.assertEqual(self.ask(service, operate_type=3, **more), dict(shape, state=0))
        self.assertEqual(self.ask(service, operate_type=1, **more), dict(shape, state=1))
        self.assertEqual(self.ask(service, operate_type=1, **more), dict(shape, state=1))  # a known one is updated
        self.assertEqual(self.ask(service, operate_type=2, **more), dict(shape, state=1))
        self.assertEqual(self.ask(service, operate_type=3, **more), dict(shape, state=1))

    def test_month_member(self):
        self.record("upload_month_member", "card_id", pid="p", car_number="x", begin_time=1, end_time=2, price="1.00")

    def test_month_card(self):
        self.record("upload_month_card", "package_id", name="x", price="1.00")

    def test_blackuser(self):
        value = self.fresh("b")
        self.assertEqual(self.ask("upload_blackuser", black_uuid=value, operate_type=2, car_number="x"),
                         {"service_name": "upload_blackuser", "errmsg": "", "black_uuid": value, "state": 0})
        self.assertEqual(self.ask("upload_blackuser", black_uuid=value, operate_type=1, car_number="x")["state"], 1)
        self.assertEqual(self.ask("upload_blackuser", black_uuid="", operate_type=1)["errmsg"], u"black_uuid不能为空")
        self.assertEqual(self.ask("upload_blackuser", black_uuid=value, operate_type=9)["errmsg"], u"未知的操作类型operate_type")

    def test_month_pay_record(self):
        self.assertEqual(self.ask("month_pay_record", trade_no="t1", card_id="c1", pay_time=1, amount_pay="1.00"),
                         {"service_name": "month_pay_record", "errmsg": "", "state": 1, "card_id": "c1"})

    def test_car_type(self):
        value = self.fresh("ct")
        shape = {"service_name": "car_type_upload", "errmsg": "", "state": 1, "cartype_id": value}
        self.assertEqual(self.ask("upload_car_type", car_type_id=value, name="x", sort=1, operate_type=3), shape)
        self.assertEqual(self.ask("upload_car_type", car_type_id=value, name="x", sort=1, operate_type=2), shape)
        self.up.send("upload_car_type", {"service_name": "upload_car_type", "car_type_id": value, "name": "x"})
        self.assertSilent(self.up)  # known, and no operate_type

    def test_price(self):
        value = self.fresh("pr")
        add = dict(price_id=value, car_type="x", describe="d", create_time=1)
        answer = self.ask("upload_price", operate_type=1, **add)
        self.assertEqual((answer["state"], answer["operate_type"], answer["price_id"]), (1, 1, value))
        answer = self.ask("upload_price", operate_type=1, **dict(add, describe="e"))  # 5.1: add of a known price
        self.assertEqual(answer["service_name"], "upload_price")
        self.assertEqual((answer["operate_type"], answer["price_id"], answer["errmsg"], answer["state"]), (2, value, "", 1))
        self.assertIn("park_id", answer)
        answer = self.ask("upload_price", operate_type=2, price_id="unknown" + value, car_type="x")
        self.assertEqual((answer["state"], answer["errmsg"]), (0, ""))
        answer = self.ask("upload_price", describe="d")
        self.assertEqual((answer["error"], answer["operate_type"], answer["price_id"], answer["state"]),
                         (u"上传数据中没找到必须的字段（package_id,price,operate_type）值!", 0, "", 0))
        self.assertNotIn("errmsg", answer)

    def test_park_log(self):
        self.assertEqual(self.ask("park_log", log_id="1", operate_time=1, content="x"),
                         {"log_id": "1", "service_name": "park_log", "errmsg": "", "state": 1})
        answer = self.ask("park_log", log_id="2")
        self.assertEqual((answer["errmsg"], answer["log_id"], answer["state"]),
                         (u"上传数据中没找到必须的字段（log_id,operate_time,content）值!", "", 0))

    def test_confirm_order(self):
        event = self.fresh("e")
        self.assertEqual(self.ask("upload_confirm_order", event_id=event, car_number="x", upload_time=1, channel_id="A1"),
                         {"state": 1, "errmsg": u"上传手动匹配事件成功！"})
        self.assertEqual(self.ask("upload_confirm_order", event_id=event, car_number="x", upload_time=2, channel_id="A1"),
                         {"state": 0, "errmsg": u"event_id 已存在!"})

    def test_unknown_members_are_ignored_but_signed(self):
        self.assertEqual(self.ask("in_park", unknown={"a": [1, None]}, **self.order())["state"], 1)


class S53Echo(SandboxCase):
    def test_echoes(self):
        listener = self.ready(local_id="echo_syncdata_1")
        sender = self.ready(local_id="echo_sender_syncdata")
        deaf = self.ready(local_id="echo_without")
        data = self.order(remark=None, extra="e")
        for name in ("in_park", "out_park"):
            sent = dict(data, service_name=name, data_target="cloud")
            self.assertEqual(sender.ask(name, sent)["state"], 1)
            self.assertEqual(listener.reply(), dict((k, v) for k, v in sent.items() if v is not None))
        bad = {"service_name": "in_park", "order_id": self.fresh(), "in_time": 5, "state": 7, "errmsg": "mine"}
        self.assertEqual(sender.ask("in_park", bad)["errmsg"], facts.BAD_ENTRY)
        self.assertEqual(listener.reply(), bad)  # refused as invalid: echoed all the same
        self.assertEqual(sender.ask("in_park", bad)["errmsg"], facts.HANDLED)
        sender.upload("upload_order", **self.order())
        self.assertIsNone(listener.reply(QUIET))
        self.assertIsNone(sender.reply(0.1))  # nobody hears itself
        self.assertIsNone(deaf.reply(0.1))

if __name__ == "__main__":
    unittest.main()
