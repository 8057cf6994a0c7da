"""ETCP's open platform on 127.0.0.1, written from its document and FAQ alone (ETCP 1 to 10), and a strict referee of its
client: signatures, forms, methods, time stamps in Beijing time, tokens, plates, fees, payments."""
import datetime
import hashlib
import json
import re
import urllib.parse
import uuid
from decimal import Decimal, InvalidOperation

import normal_form
from http_referee import HttpReferee
from peer_server import dump

MERCHANT_NO, MERCHANT_KEY = "9827c6b5c6d94485b912b6e90c92a7ae", "noxxxxx"
VERSION = "1.0.0"
# Section 8: the call's last path segment, its method, the members that must be there.
CALLS = {
    "uservalidatecode": ("8.1", "GET", ("mobilePhone",)),
    "userlogin": ("8.2", "POST", ("mobilePhone", "code", "appId")),
    "usersignin": ("8.3", "POST", ("mobilePhone", "appId")),
    "bindcar": ("8.4", "POST", ("token", "plateNumber")),
    "unbindcar": ("8.5", "POST", ("token", "plateNumber")),
    "orderhistory": ("8.6", "GET", ("token",)),
    "orderunpay": ("8.7", "GET", ("token", "plateNumber")),
    "orderpaid": ("8.8", "POST", ("token", "orderId", "externalOrderId", "payment", "payTime", "verificationInfo")),
    "surroundingparking": ("8.9", "POST", ()),
    "parkingstatus": ("8.10", "POST", ("parkingId",)),
}
# Section 10.
CODES = {0: u"成功", 1: u"失败", 2: u"服务器异常", 3: u"时间戳超时", 4: u"签名校验非法", 5: u"没有找到商户密钥", 6: u"参数错误",
         7: u"更新订单失败", 8: u"生产订单失败", 20100: u"操作失败", 20101: u"无效token", 20102: u"缺少必要参数", 20201: u"手机号错误",
         20202: u"获取验证码失败", 20203: u"手机验证码错误", 20206: u"支付金额与应付金额不匹配"}
BEIJING = datetime.timezone(datetime.timedelta(hours=8))
TOLERANCE = 5          # seconds a time stamp may be off
UNRESERVED = re.compile(r"^([A-Za-z0-9\-._~*+]|%[0-9A-Fa-f]{2})*$")
PHONE = re.compile(r"^1\d{10}$")


def beijing(seconds_ago=0):
    return datetime.datetime.now(BEIJING) - datetime.timedelta(seconds=seconds_ago)


def stamp(moment=None):
    return (moment or beijing()).strftime("%Y%m%d%H%M%S")


def sign(data_text, key, time_stamp):
    return hashlib.md5((data_text + key + time_stamp).encode("utf-8")).hexdigest().upper()


class EtcpServer(HttpReferee):
    def __init__(self, merchant_no=MERCHANT_NO, merchant_key=MERCHANT_KEY):
        HttpReferee.__init__(self)
        self.merchant_no, self.merchant_key = merchant_no, merchant_key
        self.codes, self.code_at = {}, {}        # by phone
        self.tokens = {}                         # token: phone; the last login of a phone counts
        self.plates = {}                         # phone: plates
        self.parked = {}                         # plate: a parking record
        self.payments, self.external = [], set()

    # -- for tests
    def refused(self, name, code, times=1):
        """The next calls of this name get this code; the server takes no note of them."""
        self.plan(name, lambda job: job.respond(200, dump({"code": code, "message": CODES[code]})), times)

    def kill_tokens(self):
        with self.lock:
            self.tokens.clear()

    def park(self, plate, fee="8.0"):
        record = {"entranceTime": "2017-06-11 11:19:27", "exitTime": "2017-06-11 11:59:47", "parkingFee": Decimal(fee),
                  "remainingFee": Decimal(fee), "parkingId": 3126, "orderId": str(uuid.uuid4()).upper(),
                  "carNumber": plate[0] + "****" + plate[-2:], "verificationInfo": uuid.uuid4().hex * 4,
                  "parkingName": u"ETCP停车场"}
        with self.lock:
            self.parked[plate] = record
        return record

    # -- the referee
    def look(self, request):
        bad = self.violation
        path, _, query = request.path.partition("?")
        segments = path.split("/")
        name = segments[-1]
        if name not in CALLS or segments != ["", "merchant", "open", VERSION, "openapi", name]:
            bad("unknown_path", request.path)
            return
        request.name = name
        section, method, required = CALLS[name]
        if request.method != method:
            bad("method", "%s (%s) by %s" % (name, section, request.method))
        if request.method == "GET":
            if request.body:
                bad("body_of_a_get", request.body[:100])
            form = query
        else:
            form = request.body.decode("latin-1")
            if query:
                bad("query_of_a_post", request.path)
            kind = request.headers.get("content-type", "").lower().replace(" ", "")
            if kind != "application/x-www-form-urlencoded;charset=utf-8":
                bad("content_type", request.headers.get("content-type"))
        self._form(request, form)
        if request.data is not None:
            for member in required:
                if request.data.get(member) in (None, ""):
                    bad("member", "%s (%s) without %s" % (name, section, member))
            self._members(request, name)

    def _form(self, request, form):
        """Section 4: the four parameters, each once, percent-encoded UTF-8."""
        bad = self.violation
        pairs = [pair.partition("=") for pair in form.split("&")]
        for _, _, value in pairs:
            if not UNRESERVED.match(value):
                bad("encoding", value[:200])
        if sorted(name for name, _, _ in pairs) != ["data", "merchant_no", "sign", "time_stamp"]:
            bad("parameters", form[:200])
            return
        request.form = {name: urllib.parse.unquote_plus(value, errors="strict") for name, _, value in pairs}
        request.sign = request.form["sign"]
        moment = request.form["time_stamp"]
        if request.form["merchant_no"] != self.merchant_no:
            bad("merchant_no", request.form["merchant_no"])
        if request.sign != sign(request.form["data"], self.merchant_key, moment):
            bad("wrong_sign", form[:300])
        try:
            at = datetime.datetime.strptime(moment, "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
            if len(moment) != 14 or abs((beijing() - at).total_seconds()) > TOLERANCE:
                bad("time_stamp", "%s, it is %s in Beijing" % (moment, stamp()))
        except ValueError:
            bad("time_stamp", moment)
        try:
            request.data, _ = normal_form.read_strict(request.form["data"])
        except normal_form.BadJson as e:
            bad("not_json", "%s: %s" % (e, request.form["data"][:200]))
        if not isinstance(request.data, dict):
            bad("no_data", form[:200])
            request.data = None

    def _members(self, request, name):
        data, bad = request.data, self.violation
        plate = data.get("plateNumber")
        if name in ("bindcar", "unbindcar") and (not isinstance(plate, str) or len(plate) not in (7, 8)):
            bad("plate", plate)
        if name == "bindcar" and data.get("plateColor") not in (None, "1", "2", "3", "4"):
            bad("plate_colour", data.get("plateColor"))
        for member, value in data.items():
            if not isinstance(value, str):
                # every member of section 8 is text, the payment too in the example
                bad("not_text", "%s: %s is %r" % (name, member, value))
        if name == "orderpaid":
            if not re.match(r"^\d+(\.\d+)?$", str(data.get("payment"))):
                bad("payment", data.get("payment"))
            if not re.match(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$", str(data.get("payTime"))):
                bad("pay_time", data.get("payTime"))
            if data.get("externalOrderId") in self.external:
                bad("external_order_again", data.get("externalOrderId"))
        if name == "surroundingparking":
            place = [data.get(m) for m in ("lat", "lon", "radius")]
            if bool(any(place[:2])) == bool(data.get("city")) or any(place[:2]) and not all(place):
                bad("position_or_city", sorted(data))
        if name == "uservalidatecode" and data.get("mobilePhone") in self.code_at:
            if request.at - self.code_at[data["mobilePhone"]] < 60:
                bad("code_within_a_minute", data["mobilePhone"])

    # -- what the server does
    def process(self, request):
        with self.lock:
            code, data = self._answer(request)
        out = {"code": code, "message": "ok" if code == 0 else CODES[code]}
        if data is not None:
            out["data"] = data
        return 200, exact_dump(out)

    def _answer(self, request):
        data = request.data
        if data is None:
            return 6, None
        if request.form["merchant_no"] != self.merchant_no:
            return 5, None
        if request.sign != sign(request.form["data"], self.merchant_key, request.form["time_stamp"]):
            return 4, None
        if any(not data.get(m) for m in CALLS[request.name][2]):
            return 20102, None
        if "token" in CALLS[request.name][2] and data["token"] not in self.tokens:
            return 20101, None
        if "mobilePhone" in data and not PHONE.match(data["mobilePhone"]):
            return 20201, None
        return getattr(self, "_" + request.name)(request, data)

    def _uservalidatecode(self, request, data):
        phone = data["mobilePhone"]
        if phone in self.code_at and request.at - self.code_at[phone] < 60:
            return 20202, None
        self.code_at[phone], self.codes[phone] = request.at, "562371"
        return 0, None

    def _token(self, phone):
        for token in [t for t, p in self.tokens.items() if p == phone]:
            del self.tokens[token]
        token = str(uuid.uuid4())
        self.tokens[token] = phone
        return 0, {"token": token}

    def _userlogin(self, request, data):
        if self.codes.pop(data["mobilePhone"], None) != data["code"]:
            return 20203, None
        return self._token(data["mobilePhone"])

    def _usersignin(self, request, data):
        return self._token(data["mobilePhone"])

    def _bindcar(self, request, data):
        phone, plate = self.tokens[data["token"]], data["plateNumber"]
        if any(plate in mine for who, mine in self.plates.items() if who != phone):
            return 20100, None
        mine = self.plates.setdefault(phone, [])
        if plate not in mine and len(mine) >= 3:
            return 20100, None
        if plate not in mine:
            mine.append(plate)
        return 0, None

    def _unbindcar(self, request, data):
        mine = self.plates.get(self.tokens[data["token"]], [])
        if data["plateNumber"] not in mine:
            return 20100, None
        mine.remove(data["plateNumber"])
        return 0, None

    def _orderhistory(self, request, data):
        return 0, [{"parkingName": u"测试车场", "entranceTime": "2017-06-10 16:27:30", "exitTime": "2017-06-10 19:27:30",
                    "parkingFee": "5.5", "actual": "0.0", "parkingId": "10361002",
                    "orderId": "B6269DE8-03A0-4560-8EAF-000000C5FF6A", "carNumber": u"京MZ1173"}]

    def _orderunpay(self, request, data):
        record = self.parked.get(data["plateNumber"])
        return 0, [record] if record else []

    def _orderpaid(self, request, data):
        record = next((r for r in self.parked.values() if r["orderId"] == data["orderId"]), None)
        if record is None or record["verificationInfo"] != data["verificationInfo"]:
            return 6, None
        if data["externalOrderId"] in self.external:
            return 20100, None
        try:
            if Decimal(data["payment"]) != record["remainingFee"]:
                return 20206, None
        except (InvalidOperation, TypeError):
            return 6, None
        self.external.add(data["externalOrderId"])
        self.payments.append(data)
        record["remainingFee"] = Decimal(0)
        return 0, {"orderId": data["orderId"], "externalOrderId": data["externalOrderId"], "payment": Decimal(data["payment"]),
                   "payTime": data["payTime"], "payOrderId": "no%d" % len(self.payments)}

    def _surroundingparking(self, request, data):
        return 0, {"list": [{"id": "dhX3ZLLQ3jk=", "parkingName": u"莆田万达广场", "type": "ss", "minFreeTime": "120",
                             "avgCostPrecise": Decimal("12.78"), "parkingType": "8", "capacityStatus": u"充足", "payType": "1",
                             "distance": "0m", "scrollId": "ekndddlfkdsj", "lon": "119.0029", "lat": "25.424324"}]}

    def _parkingstatus(self, request, data):
        return 0, {"totalSpace": "114", "time": "2017-09-04 22:37:14", "status": u"充足"}


def exact_dump(out):
    """JSON in which a Decimal stays the digits that it is."""
    marks = {}

    def mark(value):
        text = "<<%d>>" % len(marks)
        marks['"%s"' % text] = str(value)
        return text
    text = json.dumps(out, ensure_ascii=False, default=mark)
    for name, digits in marks.items():
        text = text.replace(name, digits)
    return text
