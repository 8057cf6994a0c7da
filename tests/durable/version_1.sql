-- A store as version 1 of the schema wrote it, in its first form (two indexes came later): 3 records, a dead letter, an
-- unanswered payment and an answered one, 5000 seconds of running time.
PRAGMA application_id=1347112011;
PRAGMA user_version=1;
CREATE TABLE record (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  ticket    INTEGER NOT NULL,
  platform  TEXT NOT NULL,
  interface TEXT,
  service   TEXT NOT NULL,
  order_key TEXT,
  class     TEXT NOT NULL,
  data      TEXT NOT NULL,
  created   INTEGER NOT NULL,
  attempts  INTEGER NOT NULL DEFAULT 0,
  last_error TEXT
);
CREATE INDEX record_in_line ON record (platform, id);
CREATE INDEX record_of_key ON record (platform, order_key, id) WHERE order_key IS NOT NULL;
CREATE TABLE dead (
  id        INTEGER PRIMARY KEY,
  ticket    INTEGER NOT NULL,
  platform  TEXT NOT NULL,
  interface TEXT,
  service   TEXT NOT NULL,
  order_key TEXT,
  class     TEXT NOT NULL,
  data      TEXT NOT NULL,
  created   INTEGER NOT NULL,
  attempts  INTEGER NOT NULL,
  died      INTEGER NOT NULL,
  code      TEXT NOT NULL,
  message   TEXT NOT NULL,
  reply     TEXT
);
CREATE TABLE event (
  id        INTEGER PRIMARY KEY,
  repeat_key TEXT NOT NULL,
  content   TEXT,
  platform  TEXT NOT NULL,
  service   TEXT NOT NULL,
  message   TEXT NOT NULL,
  received  INTEGER NOT NULL,
  seen      INTEGER NOT NULL,
  answer    TEXT,
  answered  INTEGER NOT NULL DEFAULT 0,
  delivered INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX event_of_key ON event (repeat_key, id);
CREATE INDEX event_unfinished ON event (id) WHERE delivered = 0;
CREATE TABLE count (platform TEXT PRIMARY KEY, records INTEGER NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
INSERT INTO meta VALUES ('seconds', 5000);
INSERT INTO record VALUES
  (7, 7, 'bolink', 'bolink.in_park', 'in_park', 'order_id=A1', 'record', '{"service_name":"in_park","order_id":"A1","car_number":"京A12345","in_time":1490875218,"car_type":"小型车","c_type":"通道扫牌","uid":"1","empty_plot":7,"in_channel_id":"1"}', 1490875218000, 0, NULL),
  (8, 8, 'bolink', 'bolink.out_park', 'out_park', 'order_id=A1', 'record', '{"service_name":"out_park","order_id":"A1","car_number":"京A12345","in_time":1490875218,"out_time":1490876218,"car_type":"小型车","c_type":"通道扫牌","uid":"1","out_uid":"1","pay_type":"cash","auth_code":"","empty_plot":7,"total":10,"amount_receivable":10,"out_channel_id":"1"}', 1490876218000, 1, 'no answer'),
  (9, 9, 'bolink', 'bolink.in_park', 'in_park', 'order_id=A2', 'record', '{"service_name":"in_park","order_id":"A2","car_number":"京A12346","in_time":1490875219,"car_type":"小型车","c_type":"通道扫牌","uid":"1","empty_plot":7,"in_channel_id":"1"}', 1490875219000, 0, NULL);
INSERT INTO count SELECT platform, count(*), sum(length(CAST(data AS BLOB))) FROM record GROUP BY platform;
INSERT INTO dead VALUES (3, 3, 'bolink', 'bolink.in_park', 'in_park', 'order_id=A0', 'record', '{"service_name":"in_park","order_id":"A0"}', 1490875000000, 1, 1490875001000, 'refused', 'no such lot', '{"state":0}');
INSERT INTO event VALUES
  (1760000000000001, 'prepay_order trade_no=T1', NULL, 'bolink', 'prepay_order', '{"service_name":"prepay_order","car_number":"京A12345","order_id":"A1","park_id":"21782","prepay":5,"trade_no":"T1","pay_channel":1,"query_time":1,"pay_time":2,"arrive_money":5,"fee":0,"account_type":1,"remark":"","pay_user_id":""}', 1490875218000, 4900, NULL, 0, 0),
  (1760000000000002, 'prepay_order trade_no=T2', NULL, 'bolink', 'prepay_order', '{"service_name":"prepay_order","trade_no":"T2"}', 1490875218000, 4950, '{"service":"prepay_order","data":{"state":1}}', 1, 1);
