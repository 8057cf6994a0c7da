"""The services of the parking cloud, as far as its published server answers them (cloud-tcp, sections 2, 4, 5 and 6)."""

# service: (name in the reply, key in data, key in the reply, members that must be numbers)
SERVICES = {
    "in_park": ("in_park", "order_id", "order_id", "in_time out_time duration islocked empty_plot"),
    "out_park": ("out_park", "order_id", "order_id", "in_time out_time duration islocked empty_plot"),
    "upload_order": ("upload_order", "order_id", "order_id", "in_time out_time duration islocked empty_plot"),
    "upload_collector": ("upload_collector", "user_id", "user_id", "create_time update_time sex operate_type"),
    "work_record": ("work_record", "uuid", "uuid", "start_time end_time worksite_id state"),
    "upload_liftrod": ("upload_liftrod", "liftrod_id", "liftrod_id", "create_time update_time reason"),
    "upload_gate": ("upload_gate", "channel_id", "channel_id", "operate_type passtype worksite_id"),
    "upload_month_member": ("upload_month_member", "card_id", "card_id",
                            "operate_type begin_time end_time create_time update_time limit_day_type"),
    "upload_month_card": ("upload_month_card", "package_id", "package_id", "operate_type create_time update_time"),
    "month_pay_record": ("month_pay_record", "card_id", "card_id", "pay_time buy_month start_time limit_time"),
    "upload_car_type": ("car_type_upload", "car_type_id", "cartype_id", "sort create_time update_time operate_type"),
    "upload_blackuser": ("upload_blackuser", "black_uuid", "black_uuid", "operate_type create_time"),
    "upload_price": ("upload_price", "price_id", "price_id", "operate_type create_time update_time"),
    "park_log": ("park_log", "log_id", "log_id", "operate_time"),
    "upload_confirm_order": (None, "event_id", None, "upload_time"),
}

# An operate_type that is missing kills the handling: no reply.
OPERATE_TYPE_OR_SILENCE = ("upload_gate", "upload_month_member", "upload_month_card", "upload_blackuser")

ORDERS = ("in_park", "out_park", "upload_order")

# Downlinks and the members their answer must carry beside service_name, data_target and state.
ANSWER_KEYS = {
    "price_sync": ("price_id",),
    "month_card_sync": ("package_id",),
    "month_member_sync": ("card_id", "operate_type"),
    "collector_sync": ("user_id",),
    "car_type_sync": ("car_type_id",),
    "blackuser_sync": ("black_uuid",),
    "month_pay_sync": ("trade_no", "card_id"),
    "gate_sync": ("channel_id",),
    "visitor_sync": ("visitor_id",),
    "lock_car": ("order_id", "is_locked"),
    "query_prodprice": ("trade_no",),
    "deliver_ticket": ("ticket_id", "order_id"),
    "operate_liftrod": ("channel_id", "operate"),
    "confirm_order_inform": ("event_id",),
}

WRAPPED = ("price_sync", "month_card_sync", "month_member_sync", "collector_sync", "car_type_sync", "blackuser_sync",
           "month_pay_sync", "gate_sync")
BY_GATE = ("operate_liftrod", "confirm_order_inform")

NO_SERVICE_NAME = u"未识别到service_name标记"
NO_SIGN = u"未识别到sign标记"
NO_TOKEN = u"未识别到token标记"
NO_PARK_ID = u"未识别到park_id标记"
NO_SUCH_LOT = u"车场不存在"
NO_SUCH_CLOUD_LOT = u"error:云平台车场不存在"
WRONG_SIGN = u"error:签名错误"
DEAD_TOKEN = u"error:token无效"
NO_LOT_IN_ROW = u"error:车场没有登录"
NO_SUCH_LOT_NOW = u"error:车场编号异常，未成功在云平台注册"
LOGIN_AGAIN = (DEAD_TOKEN, NO_LOT_IN_ROW, NO_SUCH_LOT_NOW)  # answers after which another login makes sense
OVER_TIMES = u"request_over_times"
NO_DATA = u"data error"
HANDLED = u"数据已处理过..."
BAD_ENTRY = u"数据无效"

# The documented refusals of a login: text, whether service_name stands in the reply, whether the server then closes.
LOGIN_REFUSALS = {
    "wrong_sign": (WRONG_SIGN, True, True),
    "no_such_cloud_lot": (NO_SUCH_CLOUD_LOT, True, True),
    "not_stored": (u"error:登录失败", True, True),
    "no_park_id": (NO_PARK_ID, False, True),
    "no_such_lot": (NO_SUCH_LOT, False, False),
    "no_sign": (NO_SIGN, False, False),
    "broken_server": (u"服务器初始化异常", False, True),
}
