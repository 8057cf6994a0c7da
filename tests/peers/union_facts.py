"""The calls of Bolink's open HTTP API as its document has them (API 2, 3, 4, 6, 7, 8, 10): where they go, where union_id
sits, which members must be there, a request that is right, an answer that means success, and one that means refusal.

Members: `name:n` a number (or its text: the document's tables and examples disagree), `name:s` text, `name:o` an object;
after `=` the only values.
"""
import collections

Call = collections.namedtuple("Call", "name section path envelope members sample success refusal")

INSIDE, BESIDE, COMMUNITY = "inside", "beside", "community"
ORDERS = "/unionapi/neworder/"
UPLOAD_DATA = ORDERS + "uploadData"
DONE, NOT_DONE = {"state": 1, "errmsg": u"成功"}, {"state": 0, "errmsg": u"签名错误"}
TIMES = {"in_time": 1490875218, "out_time": 1490879218}
PLATE = u"京GH0093"

ETC = {"park_id": "21782", "car_number": PLATE, "in_time": 1490875218, "out_time": 1490879218, "pay_type": "cj", "total": "0.02",
       "order_id": "9009", "out_channel_id": "A1", "in_channel_id": u"入口1", "parking_time": "66", "lane_no": "000123"}
ETC_MY = {"empty_plot": 20, "total_original": "0.03", "inpark_img": "https://s.bolink.club/image/a.png",
          "outpark_img": "https://s.bolink.club/image/b.png"}
ETC_PAID = {"state": 1, "errmsg": u"etc扣费成功", "order_id": "9009", "pay_type": "etc", "trade_no": "etc2021", "total": 0.02,
            "car_number": PLATE, "out_channel_id": "A1", "pay_time": 1490879219, "arrive_money": 0.02, "fee": 0.0,
            "account_type": 1}


def _call(name, section, path, envelope, members, sample, success=None, refusal=None):
    success = dict(DONE, **(success or {})) if success is None or "code" not in success else success
    return Call(name, section, path, envelope, members, sample, success, refusal or NOT_DONE)


_LOT = {"park_id": "21782"}
_ESCAPE = {"title": u"逃单补缴", "park_id": "21782", "order_id": "20171204152324414_R", "car_number": PLATE,
           "trade_no": "20170921336435100", "channel": "weixin", "pay_type": 0, "time_temp": "1490875218"}

CALLS = collections.OrderedDict((c.name, c) for c in (
    _call("addpark", "2.1", "/unionapi/newpark/addpark", INSIDE,
          "park_id:s name:s address:s city_id:n phone:s lng:s lat:s total_plot:n empty_plot:n price_desc:s rand:s",
          dict(_LOT, name=u"北京上地三街9号院停车场", address=u"北京上地三街9号", city_id=110000, phone="13900944433",
               lng="123.999999", lat="32.444444", total_plot=122, empty_plot=34, price_desc=u"2元每小时",
               rand="0.0689257123595276"), {"park_id": "21782", "username": 1000000}),
    _call("updatepark", "2.2", "/unionapi/newpark/updatepark", INSIDE,
          "park_id:s type:n=1|2 total_plot:n empty_plot:n rand:s",
          dict(_LOT, type=1, total_plot=120, empty_plot=32, rand="0.0689257123595277"), {"park_id": 21782}),
    _call("getqrcodecloud", "2.3", "/unionapi/getqrcodecloud", INSIDE, "park_id:s type:n=1|2|3",
          dict(_LOT, type=2, channel_id=u"通道一", create=1),
          {"code_url": "https://beta.bolink.club/unionapi/t?p=178", "type": 2}),
    _call("setUp", "2.5", "/unionapi/newpark/setUp", INSIDE, "park_id:s nolience_config:o",
          dict(_LOT, nolience_config={"is_verify": 1})),
    _call("lsregister", "2.6", "/unionapi/newpark/lsregister", BESIDE, "park_id:s incom_type:n=2|3 base_info:o",
          dict(_LOT, incom_type=2, base_info={"merchant_type": 1, "merchant_shortname": u"上地停车场", "merchant_name": u"上地",
                                              "license_address": u"硅谷亮城2号楼", "regprov_id": 110000, "regcity_id": 110100,
                                              "regarea_id": 110101})),
    _call("addorder", "3.1", ORDERS + "addorder", INSIDE, "car_number:s in_time:n order_id:s empty_plot:n park_id:s",
          dict(_LOT, car_number=PLATE, in_time=1490875218, order_id="325101", empty_plot=20, remark=u"入场信息备注"),
          {"order_id": "325101"}),
    _call("updateorder", "3.2", ORDERS + "updateorder", INSIDE,
          "park_id:s car_number:s out_time:n pay_type:s=cash|wallet|sweepcode|escape empty_plot:n total:s order_id:s",
          dict(_LOT, car_number=PLATE, pay_type="cash", empty_plot=20, total="0.01", order_id="325101", **TIMES),
          {"order_id": "325101"}),
    _call("paymonthcard", "3.3", "/unionapi/paymonthcard", BESIDE, "park_id:s amount:s trade_no:s notify_url:s time_temp:s",
          dict(_LOT, amount="0.01", trade_no="201712125566359777", notify_url="http://a.example/unionapi/monthpaynotify",
               time_temp="1533035031600"), {"payurl": "https://beta.bolink.club/x", "trade_no": "201712125566359777"}),
    _call("bolinkparkpay", "3.4", "/unionapi/bolinkparkpay", BESIDE,
          "title:s park_id:s amount:s order_id:s car_number:s in_time:n trade_no:s pay_type:n=0|2 time_temp:s",
          dict(_LOT, title=u"支付停车费", amount="0.01", order_id="20171204152324414_RLF373", car_number=PLATE,
               in_time=1571904740, trade_no="20170921336435142", channel="weixin", pay_type=0, time_temp="1484369702556"),
          {"payurl": "https://beta.bolink.club/y"}),
    _call("lsaccountsplit", "3.5", "/unionapi/lsaccountsplit", BESIDE, "park_id:s account_no:s account_name:s percent:n",
          dict(_LOT, account_no="1324564", account_name=u"测试商户", percent=10), {"contract_url": "https://open.w"}),
    _call("lsbind", "3.6", "/unionapi/lsbind", BESIDE, "park_id:s", dict(_LOT)),
    _call("etcPayApi", "3.7", "/unionapi/etcPayApi", BESIDE,
          "park_id:s car_number:s in_time:n out_time:n pay_type:s=my|cj|jyyh|ystx total:s order_id:s out_channel_id:s "
          "in_channel_id:s parking_time:s lane_no:s", dict(ETC), ETC_PAID),
    _call("queryescape", "3.8", ORDERS + "queryescape", BESIDE, "park_id:s car_number:s time_temp:s",
          dict(_LOT, car_number=PLATE, time_temp="1625209740"),
          {"escapeOrder": [{"parkName": u"测试车场", "unionId": 200145, "orderId": "244564527", "money": "0.01"}]}),
    _call("bolinkescapePay", "3.9", "/unionapi/bolinkescapePay", BESIDE,
          "title:s park_id:s order_id:s car_number:s trade_no:s pay_type:n=0|2 time_temp:s", _ESCAPE),
    _call("getWxRedPacketUrlNew", "3.10", "/unionapi/getWxRedPacketUrlNew", INSIDE,
          "park_id:s amount:s trade_no:s timestamp:n",
          dict(_LOT, amount="1.01", trade_no="20210408912321123", timestamp=1617937469),
          {"errmsg": "Success", "data": {"url": "https://beta.bolink.club/unionapi/takeRedPacketNew?v=DFF0"}}),
    _call("uploaddurationinfo", "3.11", "/zld/openservice/uploaddurationinfo", INSIDE,
          "park_id:s platform_id:n=1|2 car_number:s start_charge_seq:s calculation_method:n=1|2|3 out_time:n",
          dict(_LOT, platform_id=2, car_number=PLATE, start_charge_seq="2021110300012", calculation_method=1, duration=2.12,
               out_time=1635911040)),
    _call("queryorders", "4.1", ORDERS + "queryorders", INSIDE, "", dict(_LOT, order_id="109010"),
          {"count": 1, "page": 1, "data": [{"car_number": u"苏K88909", "money": "1.50"}]}),
    _call("refund", "4.2", ORDERS + "refund", INSIDE, "park_id:s trade_no:s refund_money:n",
          dict(_LOT, trade_no="109010", refund_money=0.01, refund_reason=u"重复扣费"), {"trade_no": "109010"}),
    _call("queryOrderState", "4.3", ORDERS + "queryOrderState", INSIDE, "park_id:s",
          dict(_LOT, query_type=2, trade_no="20170921336435142"), {"data": [{"pay_state": 1, "order_id": "A1"}]}),
    _call("querywithDrawList", "4.4", ORDERS + "querywithDrawList", INSIDE, "park_id:s start_time:s end_time:s",
          dict(_LOT, start_time="2021-06-10", end_time="2021-06-24", page=1, size=20), {"count": 0, "data": []}),
    _call("addInvoiceOrder", "6.1", "/unionapi/addInvoiceOrder", BESIDE,
          "park_id:s money:n order_id:s plate_number:s pay_time:n",
          dict(_LOT, money="1.00", plate_number=u"苏DTTTTT", order_id="A1_2C1561963490", pay_time=1562312087)),
    _call("invoiceInfo", "6.2", "/unionapi/invoiceInfo", INSIDE, "type:n=2|3|4", {"type": 2},
          {"code": 200, "message": "success", "data": {"open_invoice": 1, "start_time": 1, "state": 1, "end_time": 2}},
          {"code": 500, "message": "failed"}),
    _call("openInvoice", "6.3", "/unionapi/openInvoice", INSIDE, "type:n=2|3|4 invoice_order_no:s money:n buyer_name:s",
          {"type": 2, "open_type": 0, "invoice_order_no": "1658997742125", "money": 1.23, "buyer_name": u"测试开票"},
          {"code": 0, "message": "success"}, {"code": 500, "message": "failed"}),
    _call("queryOpenInvoiceStatus", "6.5", "/unionapi/queryOpenInvoiceStatus", INSIDE, "invoice_order_no:s",
          {"type": 2, "invoice_order_no": "1658997742126"},
          {"code": 0, "message": "success", "data": {"pdf_url": "https://a.example/a.pdf", "message": "SUCCESS", "status": 5}},
          {"code": 500, "message": "failed"}),
    _call("personRecord", "8.7", "/yitong/facekey/personRecord", COMMUNITY, "community_name:s",
          {"platform_name": "Shanghai", "name": u"张三", "time": "2022-02-15 10:00:00", "pass_type": "in",
           "community_name": u"陈前区域"},
          {"code": 1, "data": u'{"state":1,"message":"上报成功"}', "message": u"成功"},
          {"code": 0, "data": u'{"state":0,"message":"失败"}', "message": u"失败"}),
    _call("correct_business", "10.1", UPLOAD_DATA, INSIDE, "park_id:s service_name:s car_number:s order_id:s type:s=1|2|3",
          dict(_LOT, car_number=u"京HP00G6", order_id="10000", type="1")),
    _call("parking_business_count", "10.2", UPLOAD_DATA, INSIDE, "park_id:s service_name:s", dict(_LOT),
          {"data": {"parking_business_count": 18}}),
    _call("parking_business_list", "10.3", UPLOAD_DATA, INSIDE, "park_id:s service_name:s", dict(_LOT, detail_type="1"),
          {"data": {"ext_order_id_list": ["16546"]}}),
    _call("park_check", "10.4", UPLOAD_DATA, INSIDE, "park_id:s service_name:s car_number:s",
          dict(_LOT, car_number=u"京HP00G6"), {"data": {"status": "1", "reason": "0"}}),
    _call("get_screen_str", "10.5", UPLOAD_DATA, INSIDE, "park_id:s service_name:s", dict(_LOT, type="1"),
          {"screen_str": u"一路顺风"}),
    _call("get_vip_vehicle_list", "10.6", UPLOAD_DATA, INSIDE, "park_id:s service_name:s vip_type:s=1|2|3|4 pageNum:s pageSize:s",
          dict(_LOT, vip_type="1", pageNum="1", pageSize="20"),
          {"totalCount": 0, "totalPages": 0, "pageNum": 1, "list": []}),
))
TITLE_ONLY = ("8.3", "8.4", "8.5", "8.6", "8.8", "8.9")  # known by their titles: nothing may be sent
