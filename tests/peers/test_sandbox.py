"""The sandbox's cloud against cloud-tcp 1 to 4, driven by a bare client. Numbers in names are sections."""
import json
import time
import unittest

import cloud_facts as facts
import normal_form
from sandbox_case import QUIET, SandboxCase


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
        for name in ("upload_ticket", "no_such_service"):
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

if __name__ == "__main__":
    unittest.main()
