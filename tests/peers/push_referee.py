"""Receives what the sandbox pushes and judges it by the documents (API 5; ETCP 9): a vendor's and a merchant's call-back address."""
import hashlib
import json
import urllib.parse

import normal_form
from etcp_server import MERCHANT_KEY, MERCHANT_NO
from http_referee import HttpReferee
from normal_form import plain
from peer_server import dump
from push_client import compact

# Members that each push must have (API 5), as far as its page is known.
MONEY = ("pay_time", "arrive_money", "fee", "account_type", "remark")
REQUIRED = {
    "query_price": ("park_id", "pay_scene", "query_order_no"),
    "notice_car_owner": ("union_id", "order_id", "car_number", "is_union_user", "park_id", "rand"),
    "prepay_order": ("car_number", "prepay", "order_id", "park_id", "trade_no") + MONEY,
    "outpark": ("state", "park_id", "order_id", "trade_no", "pay_type", "car_number") + MONEY,
    "refund": ("state", "park_id", "trade_no", "refund_money", "union_id", "refund_channel", "refund_time", "car_number", "fee",
               "account_type", "order_id", "remark"),
    "nolicence_in_park": ("car_number", "park_id", "union_id", "timetemp", "channel_id"),
    "monthcard_pay": ("amount", "park_id", "state", "trade_no", "out_trade_no") + MONEY,
    "repair": ("state", "park_id", "order_id", "trade_no", "pay_type", "total", "errmsg", "car_number") + MONEY,
    "plat_unified_order": ("park_id", "state", "amount", "receipt_amount", "pay_platform_fee", "trade_no", "pay_time", "out_trade_no"),
    "plat_escape_order": ("park_id", "state", "amount", "receipt_amount", "pay_platform_fee", "trade_no", "pay_time", "out_trade_no"),
    "recharge": ("union_id", "park_id", "trade_no", "recharge_money", "state", "errmsg", "recharge_channel", "recharge_time",
                 "car_number", "order_id", "remark"),
}
OTHERS = ("get_inpark_image", "verify_code", "pay_notice", "operate_liftrod", "check_vip", "space_notify", "special_plate", "car_info",
          "query_car_info", "invoice_notify")
ENTERED = ("synId", "plateNumber", "parkName", "parkId", "entranceTime", "fixParkingId", "remainingDays")
LEFT = ENTERED + ("exitTime", "stayedTime", "receivableFee")


class PushReferee(HttpReferee):
    def __init__(self, ukey="8403A41ED5EF20BC"):
        HttpReferee.__init__(self)
        self.ukey = ukey
        self.reading = "text"  # what ETCP's signature is over: text, remade or form
        self.rands = []

    def look(self, request):
        bad = self.violation
        if request.method != "POST":
            bad("not_post", request.method)
        if request.path.startswith("/etcp"):
            self._etcp(request)
            return
        if not request.headers.get("content-type", "").lower().startswith("application/json"):
            bad("content_type", request.headers.get("content-type"))
        try:
            request.doc, spans = normal_form.read_strict(request.text)
            request.data_text = request.text[spans["data"][0]:spans["data"][1]]
            request.data = request.doc["data"]
        except (normal_form.BadJson, KeyError) as e:
            bad("not_a_push", "%r %s" % (e, request.text[:300]))
            return
        if request.doc.get("sign") != normal_form.sign_text(request.data_text, self.ukey):
            bad("wrong_sign", request.text[:300])
        request.name = request.data.get("service_name")
        around = {"data", "sign"} | ({"union_id"} if request.name == "monthcard_pay" else set())
        if set(request.doc) != around:
            bad("envelope", "%s: %s" % (request.name, sorted(request.doc)))
        if request.name not in REQUIRED and request.name not in OTHERS:
            bad("unknown_service", request.text[:200])
        for member in REQUIRED.get(request.name, ()):
            if request.data.get(member) in (None, ""):
                bad("member", "%s without %s: %s" % (request.name, member, request.text[:300]))
        if request.name == "notice_car_owner":
            self.rands.append(str(request.data.get("rand")))

    def _etcp(self, request):
        bad = self.violation
        text, signment = request.text, None
        form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        if form != (self.reading == "form"):
            bad("content_type", request.headers.get("content-type"))
        if form:
            members = dict(urllib.parse.parse_qsl(text, strict_parsing=True))
            text, signment = members.get("data", ""), members.get("signment")
        try:
            request.data, _ = normal_form.read_strict(text)
        except normal_form.BadJson as e:
            bad("not_json", "%s %s" % (e, request.text[:300]))
            return
        request.name = "car_out" if "exitTime" in request.data else "car_in"
        for member in LEFT if request.name == "car_out" else ENTERED:
            if member not in request.data:
                bad("member", "%s without %s" % (request.name, member))
        if not form:
            signment = request.data.get("signment")
            text = text.replace('"signment":"%s",' % signment, "").replace(',"signment":"%s"' % signment, "")
        if self.reading == "remade":
            members = json.loads(request.text)
            del members["signment"]
            text = compact(members)
            if text in request.text:
                bad("not_remade", "the body has no blanks to tell the reading by")
        if signment != hashlib.md5((MERCHANT_NO + text + MERCHANT_KEY).encode("utf-8")).hexdigest().upper():
            bad("wrong_sign", request.text[:300])

    def process(self, request):
        if request.path.startswith("/etcp"):
            return 200, dump({"code": 0, "message": "ok"})
        answer = {"state": 1}
        for member in ("park_id", "order_id", "trade_no", "query_order_no", "car_number"):
            if request.data and member in request.data:
                answer[member] = plain(request.data[member])
        if request.name == "query_price":
            answer.update(price="6.00", duration=50, order_id=answer.get("order_id") or "A1", in_time=1490875218)
        if request.name == "prepay_order":
            answer["prepay"] = "6.00"
        if request.name in REQUIRED:
            answer["service_name"] = request.name
        return 200, dump(answer)
