"""How the cloud answers each uplink (cloud-tcp, section 5)."""
import cloud_facts as facts
from cloud_parts import blank, is_number
from normal_form import plain

NO_COLLECTOR = u"收费员不存在"
UNKNOWN_OPERATION = u"未知的操作类型operate_type"
LOG_FIELDS = u"上传数据中没找到必须的字段（log_id,operate_time,content）值!"
PRICE_FIELDS = u"上传数据中没找到必须的字段（package_id,price,operate_type）值!"


def serve(known, name, body):
    """(whether the record is stored, the replies). `known` maps a service to the numbers of its records."""
    if name not in facts.SERVICES:
        return False, [""]
    reply_name, key, reply_key, numbers = facts.SERVICES[name]
    if any(isinstance(body.get(m), str) and body[m] != "" and not is_number(body[m]) for m in numbers.split()):
        return False, []
    value = plain(body.get(key))
    fresh = value not in known[name]
    absent = body.get("operate_type") in (None, "")
    operation = 1 if absent else int(plain(body["operate_type"]))
    if absent and (name in facts.OPERATE_TYPE_OR_SILENCE or (name == "upload_car_type" and not fresh)):
        return False, []
    state, errmsg = 1, ""
    if name == "in_park":
        if blank(value) or blank(plain(body.get("car_number"))):
            state, errmsg = 0, facts.BAD_ENTRY
    elif name == "upload_confirm_order":
        known[name].add(value)
        return fresh, [{"state": int(fresh), "errmsg": u"上传手动匹配事件成功！" if fresh else u"event_id 已存在!"}]
    elif name in ("work_record", "upload_liftrod"):
        if plain(body.get("user_id")) not in known["upload_collector"]:
            errmsg = NO_COLLECTOR
    elif name == "park_log":
        if any(body.get(m) in (None, "") for m in ("log_id", "operate_time", "content")):
            state, errmsg, value = 0, LOG_FIELDS, ""
    elif name == "upload_price":
        return _price(known[name], body, value, fresh, operation)
    elif name in ("upload_gate", "upload_blackuser") and blank(value):
        state, errmsg = 0, u"通道编号不能为空" if name == "upload_gate" else u"black_uuid不能为空"
    elif name in ("upload_gate", "upload_blackuser") and operation not in (1, 2, 3):
        state, errmsg = 0, UNKNOWN_OPERATION
    else:
        if name == "upload_collector" and absent:
            operation = 2
        if name == "upload_car_type" and fresh:
            operation = 1  # even the deletion of an unknown type inserts it
        if name == "upload_gate":
            errmsg = u"上传成功"
        state = int(operation == 1 or not fresh)
        if operation == 3:
            known[name].discard(value)
        elif operation == 1:
            known[name].add(value)
    out = {"service_name": reply_name, "state": state, "errmsg": errmsg, reply_key: value}
    return bool(state), [out]


def _price(known, body, value, fresh, operation):
    if blank(value) or blank(plain(body.get("car_type"))) or body.get("operate_type") in (None, ""):
        return False, [{"service_name": "upload_price", "state": 0, "error": PRICE_FIELDS, "operate_type": 0,
                        "price_id": value or "", "park_id": 21782}]
    if operation == 1 and not fresh:
        operation = 2
    state = int(operation == 1 or (operation in (2, 3) and not fresh))
    if state:
        (known.discard if operation == 3 else known.add)(value)
    return bool(state), [{"service_name": "upload_price", "state": state, "errmsg": "", "operate_type": operation,
                          "price_id": value, "park_id": 21782}]
