"""What Bolink's open API (5, 9, 11) and ETCP (9) push, as their documents have it: the members, and what answers them.

Each: section, members of data, the software's reply, the members that the HTTP answer must have beside state.
"""
import collections
import time

Push = collections.namedtuple("Push", "name section data reply echoes")
MONEY = {"pay_time": 1490876000, "arrive_money": 1.25, "fee": 0.01, "account_type": 1, "remark": u"收到停车费-京G00000"}
PLATE = u"京GH0093"


def pushes(n):
    """One of each, with numbers of its own."""
    trade, order = "2017040120001211222%s" % n, "A%s" % n
    return [
        Push("query_price", "5.1", {"car_number": PLATE, "order_id": order, "park_id": "21782", "pay_scene": 0,
                                    "query_order_no": "Q%s" % n},
             {"state": 1, "price": "6.0", "duration": 50, "park_id": "21782", "order_id": order, "car_number": PLATE,
              "in_time": 1490875218}, {"query_order_no": "Q%s" % n, "price": "6.0", "duration": 50, "order_id": order}),
        Push("notice_car_owner", "5.2", {"union_id": 200208, "order_id": order, "car_number": PLATE, "is_union_user": 1,
                                         "park_id": "21782", "rand": "0.%s" % n}, {"state": 1, "errmsg": u"修改成功"}, {}),
        Push("prepay_order", "5.3", dict(MONEY, car_number=PLATE, prepay=6.5, order_id=order, park_id="21782", trade_no=trade),
             {"state": 1, "park_id": "21782", "order_id": order, "prepay": "6.5"},
             {"park_id": "21782", "order_id": order, "prepay": "6.5"}),
        Push("outpark", "5.5", dict(MONEY, state=1, park_id="21782", order_id=order, trade_no=trade, pay_type="etc", total=0.04,
                                    car_number=PLATE), {"state": 1}, {"service_name": "outpark", "trade_no": trade, "order_id": order}),
        Push("refund", "5.6", dict(MONEY, state=1, park_id="21782", trade_no=trade, refund_money=0.01, union_id=200208,
                                   refund_channel=0, refund_time=1550556917, car_number=PLATE, order_id=order, account_type=0),
             {"state": 1}, {"service_name": "refund", "trade_no": trade}),
        Push("nolicence_in_park", "5.7", {"car_number": "EA47829", "park_id": "21782", "union_id": 200208,
                                          "timetemp": int(time.time()) - n % 60, "channel_id": "A%s" % n},
             {"state": 1, "errmsg": u"入场成功", "car_number": "EA47829", "timetemp": 1523275758}, {"car_number": "EA47829"}),
        Push("monthcard_pay", "5.8", dict(MONEY, amount=0.01, park_id="21782", trade_no=trade, card_id="C%s" % n, state=1,
                                          out_trade_no="2017051814232332%s" % n), {"state": 1}, {}),
        Push("repair", "5.9", dict(MONEY, state=1, park_id="21782", order_id=order, trade_no=trade, pay_type="repair", total=0.04,
                                   errmsg=u"支付成功", car_number=PLATE), {"state": 1},
             {"service_name": "repair", "trade_no": trade, "order_id": order}),
        Push("plat_unified_order", "5.10", {"park_id": "21782", "state": 1, "amount": "0.01", "receipt_amount": "0.00994",
                                            "pay_platform_fee": "0.00006", "trade_no": trade, "pay_time": 1490876000,
                                            "out_trade_no": "M%s" % n}, {"state": 1}, {"trade_no": trade}),
        Push("plat_escape_order", "5.11", {"park_id": "21782", "state": 1, "amount": "0.01", "receipt_amount": "0.00994",
                                           "pay_platform_fee": "0.00006", "trade_no": trade, "pay_time": 1490876000,
                                           "out_trade_no": "M%s" % n}, {"state": 1}, {"trade_no": trade}),
        Push("recharge", "5.12", {"union_id": 200208, "park_id": "21782", "trade_no": trade, "recharge_money": 1.58, "state": 1,
                                  "errmsg": u"找零成功", "recharge_channel": 0, "recharge_time": 1490875218, "car_number": PLATE,
                                  "order_id": order, "remark": u"现金找零"}, {"state": 1}, {"service_name": "recharge", "trade_no": trade}),
        Push("verify_code", "5.13", {"union_id": 200208, "park_id": "21782", "car_number": "EA47829", "pay_user_id": "o%s" % n,
                                     "mobile_number": "18888888888"},
             {"state": 1, "errmsg": u"发送成功", "verify_code": "810335"}, {"verify_code": "810335"}),
        Push("pay_notice", "5.14", {"park_id": "21782", "car_number": PLATE, "type": 3, "plat_form_id": 1, "reduce_amount": "10",
                                    "duration": 10, "start_charge_seq": "20200817%s" % n}, {"state": 1}, {}),
        Push("operate_liftrod", "11.1", {"park_id": "21782", "channel_name": u"东门", "channel_id": "A1", "operate": 0,
                                         "liftrod_id": "L%s" % n}, {"state": 1},
             {"service_name": "operate_liftrod", "channel_id": "A1", "operate": 0, "liftrod_id": "L%s" % n}),
        Push("check_vip", "11.2", {"park_id": "21782", "union_id": 200208, "car_number": u"京A%s" % n, "amount": 0.01},
             {"state": 0, "errmsg": u"不可办理"}, {"service_name": "check_vip", "errmsg": u"不可办理"}),
        Push("space_notify", "11.3", {"park_id": "21782", "union_id": 200208, "total_space": 122, "free_space": n % 100,
                                      "message_uuid": "u%s" % n}, {"state": 1}, {"service_name": "space_notify"}),
        Push("special_plate", "11.4", {"park_id": "21782", "union_id": 200208, "type": "add", "car_number": u"京S%s" % n,
                                       "car_type": "black", "message_uuid": "v%s" % n}, {"state": 1}, {"service_name": "special_plate"}),
        Push("car_info", "11.5", {"park_id": "21782", "union_id": 200208, "type": "add", "car_number": u"京C%s" % n,
                                  "message_uuid": "w%s" % n}, {"state": 1}, {"service_name": "car_info"}),
        Push("query_car_info", "11.6", {"park_id": "21782", "union_id": 200208, "car_number": u"京D%s" % n, "type": "0"},
             {"state": 1, "data": {"car_number": u"京D%s" % n}}, {"service_name": "query_car_info", "data": {"car_number": u"京D%s" % n}}),
        Push("invoice_notify", "11.7", {"union_id": 200208, "park_id": "21782", "payid": "P%s" % n, "out_trade_no": trade,
                                        "invoice_type": "1"}, {"state": 1}, {"service_name": "invoice_notify"}),
    ]


PEOPLE = [{"projectId": 62, "villageName": u"陈前区域", "buildingName": u"1栋", "floorName": "4", "houseNum": "401",
           "userName": u"张三", "userType": u"户主"}]


def car_in(n, push_time):
    return {"synId": "4ebd80ff-cfcf-462a-94cb-727e9fa9%04d" % n, "plateNumber": u"渝ATX061", "parkName": u"ETCP智慧停车场", "parkId": 1,
            "entranceTime": "2017-08-20 12:59:54", "userType": "76", "pushTime": push_time, "fixParkingId": "U7",
            "remainingDays": "11"}


def car_out(n, push_time):
    return dict(car_in(n, push_time), exitTime="2017-08-19 12:07:19", stayedTime=148980, receivableFee=0)
