"""The sandbox's two platforms against the documents, driven by bare clients. Numbers in names are sections of cloud-tcp."""
import json
import re
import threading
import time
import unittest

import cloud_facts as facts
import normal_form
from raw_client import CloudClient, entry
from raw_http import RawHttp
from sandbox_process import Sandbox, sandbox_path

QUIET = 0.4  # long enough to say that no answer came


class SandboxCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not sandbox_path():
            raise unittest.SkipTest("PARKLINK_SANDBOX is not set")
        cls.sandbox = Sandbox()

    @classmethod
    def tearDownClass(cls):
        cls.sandbox.stop()

    counter = 0

    def fresh(self, prefix="T"):
        SandboxCase.counter += 1
        return "%s%d" % (prefix, SandboxCase.counter)

    def client(self, **how):
        how.setdefault("local_id", self.fresh("box"))
        client = CloudClient(self.sandbox.cloud, **how)
        self.addCleanup(client.close)
        return client

    def ready(self, **how):
        client = self.client(**how)
        answer = client.login()
        self.assertEqual(answer and answer.get("state"), 1, answer)
        return client

    def order(self, **more):
        return entry(self.fresh("A"), **more)

    def in_park(self, data):
        return dict(data, service_name="in_park", data_target="cloud")

    def assertSilent(self, client):
        self.assertIsNone(client.frame(QUIET))

    def assertAlive(self, client):
        answer = client.upload("park_log", log_id="1", operate_time=1, content="x")
        self.assertEqual(answer, {"service_name": "park_log", "state": 1, "errmsg": "", "log_id": "1"})


class S1Framing(SandboxCase):
    def test_both_line_ends(self):
        client = self.ready()
        for end in ("\n", "\r\n"):
            data = self.order()
            client.send("in_park", self.in_park(data), end=end)
            self.assertEqual(client.reply()["order_id"], data["order_id"])

    def test_a_lone_cr_ends_nothing(self):
        client = self.ready()
        client.send("in_park", self.in_park(self.order()), end="\r")
        self.assertSilent(client)
        client.send_raw(b"\n")
        self.assertEqual(client.reply()["state"], 1)

    def test_server_frames_lead_with_lf_and_trail_with_cr(self):
        client = self.ready()
        client.raw = b""
        client.send_raw(b"0x11\n0x11\n")
        self.assertEqual((client.reply(), client.reply()), ("0x12", "0x12"))
        self.assertEqual(client.raw, b"\n0x12\r\n0x12\r")

    def test_limit_of_1024_bytes(self):
        client = self.ready()
        for letter in ("x", u"京"):
            for size, passes in ((1024, True), (1025, False)):
                data = self.in_park(self.order(remark=""))
                line = lambda: client.line("in_park", normal_form.write(data))
                room = size - len(line().encode("utf-8"))
                width = len(letter.encode("utf-8"))
                data["remark"] = letter * (room // width) + "y" * (room % width)
                text = line().encode("utf-8")
                self.assertEqual(len(text), size)
                client.send_raw(text + b"\n")
                if passes:
                    self.assertEqual(client.reply()["order_id"], data["order_id"])
                else:
                    self.assertSilent(client)
                    self.assertAlive(client)

    def test_the_limit_counts_without_the_line_end(self):
        client = self.ready()
        data = self.in_park(self.order(remark=""))
        data["remark"] = "x" * (1024 - len(client.line("in_park", normal_form.write(data)).encode("utf-8")))
        client.send_raw(client.line("in_park", normal_form.write(data)).encode("utf-8") + b"\r\n")
        self.assertEqual(client.reply()["state"], 1)

    def test_a_huge_line_is_thrown_away_whole(self):
        client = self.ready()
        client.send_raw(b'{"service_name":"park_log"}' + b"z" * 300000 + b"\n")
        self.assertSilent(client)
        self.assertAlive(client)

    def test_pieces_split_inside_a_character(self):
        client = self.ready()
        data = self.order()
        line = client.line("in_park", normal_form.write(self.in_park(data))).encode("utf-8") + b"\n"
        cut = line.index(u"京".encode("utf-8")) + 1
        client.send_raw(line[:cut])
        time.sleep(0.05)
        client.send_raw(line[cut:-1])
        time.sleep(0.05)
        client.send_raw(line[-1:])
        self.assertEqual(client.reply()["order_id"], data["order_id"])

    def test_two_lines_in_one_segment(self):
        client = self.ready()
        one, two = self.order(), self.order()
        client.send_raw("".join(client.line("in_park", normal_form.write(self.in_park(d))) + "\n" for d in (one, two)).encode())
        self.assertEqual({client.reply()["order_id"], client.reply()["order_id"]}, {one["order_id"], two["order_id"]})

    def test_gbk_spoils_the_signature(self):
        client = self.ready()
        line = client.line("in_park", normal_form.write(self.in_park(self.order())))
        client.send_raw(line.encode("gbk") + b"\n")
        self.assertEqual(client.reply(), {"state": 0, "errmsg": facts.WRONG_SIGN})

    def test_empty_frames(self):
        client = self.ready()
        for name in ("upload_ticket", "no_such_service", "query_month_card"):
            client.send(name, {"service_name": name, "data_target": "cloud", "ticket_id": "1"})
            self.assertEqual(client.frame(), "", name)

    def test_sixty_pipelined_requests_are_all_answered(self):
        client = self.ready()
        orders = [self.order() for _ in range(60)]
        client.send_raw("".join(client.line("in_park", normal_form.write(self.in_park(d))) + "\n" for d in orders).encode())
        answers = [client.reply() for _ in orders]
        self.assertEqual(sorted(a["order_id"] for a in answers), sorted(d["order_id"] for d in orders))


class S1Heartbeat(SandboxCase):
    def test_forms_that_count(self):
        client = self.ready()
        for text in ("0x11", " 0x11", "0x11;", "0x11 "):
            self.assertEqual(client.heartbeat(text), "0x12", text)

    def test_forms_that_do_not(self):
        client = self.ready()
        for text in ("  0x11", "0x1111", "\x11", "0X11"):
            self.assertIsNone(client.heartbeat(text, QUIET), repr(text))
        self.assertEqual(client.heartbeat(), "0x12")

    def test_crlf(self):
        client = self.ready()
        client.send_raw(b"0x11\r\n")
        self.assertEqual(client.reply(), "0x12")

    def test_none_before_login(self):
        self.assertIsNone(self.client().heartbeat(timeout=QUIET))

    def test_only_the_newest_connection(self):
        old = self.ready(local_id="twins")
        new = self.ready(local_id="twins")
        self.assertIsNone(old.heartbeat(timeout=QUIET))
        self.assertEqual(new.heartbeat(), "0x12")

    def test_none_after_a_failed_login_of_another(self):
        """1 and 2: a wrong sign takes the slot, the rightful token keeps working, logging in again mends it."""
        client = self.ready(local_id="victim")
        thief = self.client(local_id="victim", key="WRONG")
        self.assertEqual(thief.login(), {"state": 0, "errmsg": facts.WRONG_SIGN, "service_name": "login"})
        self.assertTrue(thief.closed())
        self.assertIsNone(client.heartbeat(timeout=QUIET))
        self.assertAlive(client)
        self.assertEqual(client.login()["state"], 1)
        self.assertEqual(client.heartbeat(), "0x12")
        self.assertAlive(client)

    def test_not_rate_limited(self):
        client = self.ready()
        for _ in range(130):
            self.assertEqual(client.heartbeat(), "0x12")
        self.assertAlive(client)

    def test_half_closed_is_closed(self):
        client = self.ready()
        client.sock.shutdown(1)
        self.assertTrue(client.closed(2))


class S2Login(SandboxCase):
    def test_success(self):
        answer = self.client().login(set_params={"receive_cloud": "1"})
        self.assertEqual(sorted(answer), ["service_name", "state", "token"])
        self.assertEqual((answer["service_name"], answer["state"]), ("login", 1))
        self.assertRegex(answer["token"], "^[0-9a-f]{32}$")

    def test_park_id_as_number(self):
        client = self.client()
        self.assertEqual(client.ask("login", '{"park_id":21782,"local_id":"n1"}')["state"], 1)

    def refused(self, data, wanted, closes, **how):
        client = self.client()
        self.assertEqual(client.ask("login", data, **how), wanted)
        self.assertEqual(client.closed(QUIET), closes)

    def test_wrong_sign(self):
        self.refused('{"park_id":"21782","local_id":"w"}',
                     {"state": 0, "errmsg": facts.WRONG_SIGN, "service_name": "login"}, True, sign="0" * 32)

    def test_lower_case_sign(self):
        data = '{"park_id":"21782","local_id":"w"}'
        self.refused(data, {"state": 0, "errmsg": facts.WRONG_SIGN, "service_name": "login"}, True,
                     sign=normal_form.sign_text(data, "WERRTTTTYY").lower())

    def test_number_of_no_lot(self):
        self.refused('{"park_id":"99999999","local_id":"w"}',
                     {"state": 0, "errmsg": facts.NO_SUCH_CLOUD_LOT, "service_name": "login"}, True)

    def test_no_park_id(self):
        for data in ('{"local_id":"w"}', '{"park_id":"","local_id":"w"}', '{"park_id":"  "}', '{"park_id":"null"}'):
            self.refused(data, {"state": 0, "errmsg": facts.NO_PARK_ID}, True)

    def test_unknown_lot(self):
        for park_id in ("nowhere", "2147483648"):
            self.refused('{"park_id":"%s","local_id":"w"}' % park_id, {"state": 0, "errmsg": facts.NO_SUCH_LOT}, False)

    def test_no_sign(self):
        for sign in (False, "", " ", "null"):
            self.refused('{"park_id":"21782","local_id":"w"}', {"state": 0, "errmsg": facts.NO_SIGN}, False, sign=sign)

    def test_no_data_no_reply(self):
        client = self.client()
        client.send_raw(b'{"service_name":"login","sign":"0"}\n')
        self.assertSilent(client)
        client.send("login", "[1]")
        self.assertSilent(client)
        self.assertEqual(client.login()["state"], 1)

    def test_a_token_is_not_tied_to_its_connection(self):
        one, two = self.ready(), self.client()
        two.token = one.token
        self.assertAlive(two)

    def dead(self, client):
        answer = client.upload("park_log", log_id="1", operate_time=1, content="x")
        self.assertEqual(answer, {"state": 0, "errmsg": facts.DEAD_TOKEN})

    def test_a_token_dies_with_the_next_login(self):
        client = self.ready()
        old = client.token
        client.login()
        self.assertNotEqual(client.token, old)
        new, client.token = client.token, old
        self.dead(client)
        client.token = new
        self.assertAlive(client)

    def test_a_token_dies_with_its_connection(self):
        one, two = self.ready(), self.client()
        two.token = one.token
        one.close()
        time.sleep(0.2)
        self.dead(two)

    def test_a_late_close_does_not_hurt_the_newer_login(self):
        old = self.ready(local_id="late_close")
        new = self.ready(local_id="late_close")
        self.dead(old)  # the older one is not closed, only without a token
        old.close()
        time.sleep(0.2)
        self.assertAlive(new)
        self.assertEqual(new.heartbeat(), "0x12")

    def test_several_local_ids(self):
        one, two = self.ready(), self.ready()
        self.assertAlive(one)
        self.assertAlive(two)
        client = self.client()
        client.login(local_id="first_of_two")
        first = client.token
        client.login(local_id="second_of_two")
        self.assertAlive(client)
        client.token = first
        self.assertAlive(client)

    def test_without_local_id(self):
        client = self.client(local_id="")
        self.assertEqual(client.login()["state"], 1)
        self.assertAlive(client)

    def test_the_same_login_may_be_repeated(self):
        client = self.ready()
        for _ in range(3):
            self.assertEqual(client.login()["state"], 1)


class S3Signature(SandboxCase):
    def test_every_vector(self):
        with open(normal_form.VECTORS, encoding="utf-8") as f:
            vectors = json.load(f)
        self.assertEqual(len(vectors), 68)
        wrong = []
        client = self.ready()
        for i, v in enumerate(vectors):
            if i == 40:
                client = self.ready()  # 100 requests a token
            client.send("zz_unknown_%d" % i, v["data_sent"], sign=v["sign"])
            answer = client.frame(1)
            if answer != "":
                wrong.append((v["note"], answer))
            spoiled = ("0" if v["sign"][0] != "0" else "1") + v["sign"][1:]
            client.send("zz_unknown_%d" % i, v["data_sent"], sign=spoiled)
            answer = client.reply(1)
            if answer != {"state": 0, "errmsg": facts.WRONG_SIGN}:
                wrong.append((v["note"] + " (spoiled)", answer))
        self.assertEqual(wrong, [])

    def test_more_of_the_rules(self):
        client = self.ready()
        for text in ('{"a":0e5,"b":0.0000000,"c":-12.50e-1,"d":1.0e-7,"e":99999999999999999999.5e0,"f":0.00}',
                     '{"a":{"b":1,"b":{"c":null}},"d":[{"e":null},[null,"\\u0085"]]}',
                     u'{"\\u0001京\\u2028":"\U0001F600\\ud83d\\ude00\\/\u00ad\ufeff"}',
                     '{"n":12345678901234567890123456789012345678901234567890.10}',
                     '"{ \\"a\\" : null }"', "{}"):
            client.send("zz_more", text)
            self.assertEqual(client.frame(1), "", text)

    def test_data_before_sign(self):
        client = self.ready()
        data = self.order()
        answer = client.ask("in_park", normal_form.write(self.in_park(data)), data_first=True)
        self.assertEqual(answer["order_id"], data["order_id"])

    def test_data_as_text(self):
        """The decoded text is signed as it is; everything else works the same, the resend guard included."""
        client = self.ready()
        data = self.in_park(self.order(remark=None))
        text = json.dumps(json.dumps(data, ensure_ascii=False, indent=1).replace("\n", " "), ensure_ascii=False)
        self.assertEqual(client.ask("in_park", text)["order_id"], data["order_id"])
        self.assertEqual(client.ask("in_park", text)["errmsg"], facts.HANDLED)

    def test_what_is_not_read_at_all(self):
        client = self.ready()
        for text in ('{"a":"\\q"}', '{"a":.5}'):
            line = '{"service_name":"zz","sign":"%s","token":"%s","data":%s}\n' % ("0" * 32, client.token, text)
            client.send_raw(line.encode())
            self.assertSilent(client)
        client.send_raw(client.line("zz", '{"a":1}').encode() + b" trailing\n")
        self.assertSilent(client)
        self.assertAlive(client)


class S4Checks(SandboxCase):
    def refused(self, line, text):
        client = self.ready()
        client.send_raw(line.replace("TOKEN", client.token).encode("utf-8") + b"\n")
        self.assertEqual(client.reply(), {"state": 0, "errmsg": text})
        self.assertAlive(client)

    def test_unparsable_no_reply(self):
        client = self.ready()
        for text in (b"nonsense", b"[1,2]", b"{", b"{}}", b"17", b'"x"', b""):
            client.send_raw(text + b"\n")
        self.assertSilent(client)
        self.assertAlive(client)

    def test_no_service_name(self):
        self.refused('{"sign":"%s","token":"TOKEN","data":{}}' % ("0" * 32), facts.NO_SERVICE_NAME)
        self.refused("{}", facts.NO_SERVICE_NAME)

    def test_no_sign(self):
        for sign in ("", '"sign":"",', '"sign":"  ",', '"sign":"null",', '"sign":null,'):
            self.refused('{"service_name":"park_log",%s"token":"TOKEN","data":{}}' % sign, facts.NO_SIGN)

    def test_no_token(self):
        self.refused('{"service_name":"park_log","sign":"%s","data":{}}' % ("0" * 32), facts.NO_TOKEN)

    def test_token_before_signature(self):
        self.refused('{"service_name":"park_log","sign":"%s","token":"%s","data":{}}' % ("0" * 32, "f" * 32), facts.DEAD_TOKEN)

    def test_wrong_signature(self):
        self.refused('{"service_name":"park_log","sign":"%s","token":"TOKEN","data":{}}' % ("0" * 32), facts.WRONG_SIGN)

    def test_guard_before_token(self):
        client = self.client()
        data = self.order()
        answer = client.ask("in_park", self.in_park(data), token=False)
        self.assertEqual(answer, {"service_name": "in_park", "state": 0, "errmsg": facts.HANDLED,
                                  "order_id": data["order_id"], "car_number": data["car_number"]})

    def test_envelope_errors_keep_the_connection(self):
        client = self.ready()
        for line in ("{}", '{"service_name":"a"}', '{"service_name":"a","sign":"b"}', '{"service_name":"a","sign":"b","token":"c"}'):
            client.send_raw(line.encode() + b"\n")
            self.assertEqual(sorted(client.reply()), ["errmsg", "state"])
        self.assertAlive(client)

    def test_number_members(self):
        client = self.ready()
        for value in ('"abc"', '"12x"'):
            client.send("in_park", '{"order_id":"%s","car_number":"x","in_time":%s}' % (self.fresh(), value))
            self.assertSilent(client)
        for value in ('""', '"1490875218"', "1490875218.5", "1490875218"):
            answer = client.ask("in_park", '{"order_id":"%s","car_number":"x","in_time":%s}' % (self.fresh(), value))
            self.assertEqual(answer and answer["state"], 1, value)

    def test_operate_type_missing_no_reply(self):
        client = self.ready()
        for name, key in (("upload_gate", "channel_id"), ("upload_month_member", "card_id"),
                          ("upload_month_card", "package_id"), ("upload_blackuser", "black_uuid")):
            client.send(name, {"service_name": name, "data_target": "cloud", key: "k1"})
            self.assertIsNone(client.frame(0.25), name)
        self.assertAlive(client)


class S4Rate(SandboxCase):
    def log(self, client, i):
        return client.upload("park_log", log_id=str(i), operate_time=1, content="x")

    def test_hundred_in_eleven_seconds(self):
        client = self.ready()
        start = time.monotonic()
        for i in range(100):
            self.assertEqual(self.log(client, i)["state"], 1, i)
            if i % 10 == 0:
                self.assertEqual(client.heartbeat(), "0x12")  # heartbeats do not count
        for i in range(5):
            self.assertEqual(self.log(client, i), {"state": 0, "errmsg": facts.OVER_TIMES})
        lost = self.in_park(self.order())
        self.assertEqual(client.ask("in_park", lost)["errmsg"], facts.OVER_TIMES)
        other = self.ready()
        self.assertEqual(self.log(other, 1)["state"], 1)  # a limit of each token
        time.sleep(max(0.0, start + 10.2 - time.monotonic()))
        self.assertEqual(self.log(client, 1), {"state": 0, "errmsg": facts.OVER_TIMES})
        time.sleep(max(0.0, start + 11.4 - time.monotonic()))
        self.assertEqual(self.log(client, 1)["state"], 1)  # what was refused was not counted
        # 4.1: the refused entry's sign is remembered although it was never stored
        self.assertEqual(client.ask("in_park", lost)["errmsg"], facts.HANDLED)
        self.assertEqual(client.ask("in_park", dict(lost, again=1))["state"], 1)

    def test_answers_to_downlinks_count(self):
        client = self.ready()
        for i in range(100):
            client.send("lock_car", {"service_name": "lock_car", "data_target": "cloud", "order_id": "x", "is_locked": 1,
                                     "state": 1, "n": i})
            self.assertEqual(client.frame(), "", i)
        self.assertEqual(self.log(client, 1), {"state": 0, "errmsg": facts.OVER_TIMES})


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


class BolinkCase(SandboxCase):
    def http(self, login=True, **how):
        how.setdefault("local_id", self.fresh("http"))
        client = RawHttp(self.bolink_base(), **how)
        self.addCleanup(client.close)
        if login:
            answer = client.login()
            self.assertEqual(answer.get("state"), 1, answer)
        return client

    def bolink_base(self):
        return re.sub(r"/bpd/?$", "", self.sandbox.bolink)


class BolinkLogin(BolinkCase):
    def test_login(self):
        client = self.http(login=False)
        answer = client.login()
        self.assertEqual(answer["state"], 1)
        self.assertRegex(answer["token"], "^[0-9a-f]{32}$")

    def test_wrong_sign(self):
        client = self.http(login=False, ukey="WRONG")
        answer = client.login()
        self.assertEqual(answer["state"], 0)
        self.assertTrue(answer["errmsg"])
        self.assertNotIn("token", answer)

    def test_sign_is_over_the_exact_text(self):
        client = self.http()
        text = '{ "order_id" : "%s", "car_number":"\\u4eacA1", "in_time": 1490875218, "total": 1e3, "x": null }' % self.fresh("H")
        self.assertEqual(client.upload("inpark", text)["state"], 1)
        normal = normal_form.sign_text(normal_form.normal(text), client.ukey)
        self.assertEqual(client.upload("inpark", text, sign=normal)["state"], 0)

    def test_token(self):
        client = self.http()
        good = client.token
        for token in ("f" * 32, None):
            answer = client.upload("inpark", self.order(), token=token)
            self.assertEqual(answer["state"], 0, token)
        client.login()
        self.assertNotEqual(client.token, good)
        self.assertEqual(client.upload("inpark", self.order(), token=good)["state"], 0)  # replaced by the newer login
        self.assertEqual(client.upload("inpark", self.order())["state"], 1)

    def test_two_local_ids_do_not_replace_each_other(self):
        one, two = self.http(), self.http()
        self.assertEqual(one.upload("inpark", self.order())["state"], 1)
        self.assertEqual(two.upload("inpark", self.order())["state"], 1)

    def test_unknown_lot(self):
        self.assertEqual(self.http(login=False, park_id="nowhere").login()["state"], 0)
        self.assertEqual(self.http(login=False, union_id="1").login()["state"], 0)


class BolinkUpload(BolinkCase):
    def test_entry_and_exit(self):
        client = self.http()
        data = self.order()
        answer = client.upload("inpark", data)
        self.assertEqual((answer["state"], answer["order_id"], answer["service_name"]), (1, data["order_id"], "inpark"))
        leave = dict(data, out_time=1490879218, duration=66, pay_type="cash", total="6.00", amount_receivable="6.00",
                     cash_pay="6.00", out_uid="1")
        answer = client.upload("outpark", leave)
        self.assertEqual((answer["state"], answer["order_id"], answer["service_name"]), (1, data["order_id"], "outpark"))

    def test_one_connection_serves_many(self):
        client = self.http()
        sock = client.sock
        for _ in range(5):
            self.assertEqual(client.upload("inpark", self.order())["state"], 1)
        self.assertIs(client.sock, sock)
        client.post(client.prefix + "/bpd/download.do", '{"token":"%s"}' % ("f" * 32), timeout=5)

    def test_code_url(self):
        answer = self.http().upload("code_url", {"type": 3, "channel_id": "A1"})
        self.assertEqual((answer["service_name"], answer["state"], answer["type"]), ("code_url", 1, 3))
        self.assertTrue(answer["code_url"].startswith("http"))

    def test_queries(self):
        client = self.http()
        data = self.order(car_number=u"京Q12345")
        client.upload("inpark", data)
        answer = client.upload("query_inpark", {"car_number": u"京Q12345", "query_time": 1514995200})
        self.assertEqual((answer["state"], answer["query_time"]), (1, 1514995200))
        self.assertIn(data["order_id"], [row["order_id"] for row in answer["data"]])
        answer = client.upload("query_order", {"order_id": data["order_id"], "time_temp": 1516934957889})
        self.assertEqual((answer["service_name"], answer["time_temp"]), ("query_order", 1516934957889))
        self.assertIsInstance(answer["data"], list)

    def test_bodies_that_are_not_requests(self):
        client = self.http()
        for text in ("", "nonsense", "[]", "{}", '{"service_name":"inpark"}'):
            client.post(client.prefix + "/bpd/upload.do", text)  # answered, whatever the answer is
        self.assertEqual(client.upload("inpark", self.order())["state"], 1)


class BolinkPoll(BolinkCase):
    def test_a_poll_is_held(self):
        client = self.http()
        client.send(client.prefix + "/bpd/download.do", '{"token":"%s"}' % client.token)
        with self.assertRaises(OSError):
            client.receive(timeout=1.5)

    def test_a_poll_with_a_dead_token_is_not_held(self):
        client = self.http()
        client.token = "f" * 32
        start = time.monotonic()
        client.poll(timeout=5)
        self.assertLess(time.monotonic() - start, 3)

    def test_uploads_pass_while_a_poll_is_held(self):
        poller = self.http()
        other = self.http(login=False)
        other.token = poller.token
        poller.send(poller.prefix + "/bpd/download.do", '{"token":"%s"}' % poller.token)
        self.assertEqual(other.upload("inpark", self.order())["state"], 1)


if __name__ == "__main__":
    unittest.main()
