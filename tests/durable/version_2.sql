-- A store as version 2 of the schema wrote it: 3 records, of which the keys of two are in their table, a dead letter, 5000
-- seconds of running time; numbers up to 4105 may have been given.
PRAGMA application_id=1347112011;
PRAGMA user_version=2;
CREATE TABLE record (
  id        INTEGER PRIMARY KEY,
  ticket    INTEGER NOT NULL,
  platform  TEXT NOT NULL,
  interface TEXT,
  service   TEXT NOT NULL,
  order_key TEXT,
  class     TEXT NOT NULL,
  data      TEXT NOT NULL,
  created   INTEGER NOT NULL,
  attempts  INTEGER NOT NULL DEFAULT 0,
  last_error TEXT,
  stored    INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX record_in_line ON record (platform, id);
CREATE INDEX record_of_log ON record (id) WHERE class = 'log';
CREATE TABLE key (place INTEGER PRIMARY KEY, entries BLOB NOT NULL);
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
CREATE INDEX event_finished ON event (seen) WHERE delivered = 1;
CREATE TABLE replaced (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, why TEXT NOT NULL, old_file TEXT NOT NULL, rows INTEGER NOT NULL);
CREATE TABLE count (platform TEXT PRIMARY KEY, records INTEGER NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
INSERT INTO meta VALUES ('seconds', 5000), ('numbered', 4105), ('keyed', 8);
-- An entry of each: four bytes of a hash, the number.
INSERT INTO key VALUES (3, X'0102030407000000'), (5, X'0102030408000000');
INSERT INTO record VALUES
  (7, 7, 'bolink', 'bolink.in_park', 'in_park', 'order_id=A1', 'record', '{"service_name":"in_park","order_id":"A1","car_number":"京A12345","in_time":1490875218,"car_type":"小型车","c_type":"通道扫牌","uid":"1","empty_plot":7,"in_channel_id":"1"}', 1490875218000, 0, NULL, 4000),
  (8, 8, 'bolink', 'bolink.out_park', 'out_park', 'order_id=A1', 'record', '{"service_name":"out_park","order_id":"A1","car_number":"京A12345","in_time":1490875218,"out_time":1490876218,"car_type":"小型车","c_type":"通道扫牌","uid":"1","out_uid":"1","pay_type":"cash","auth_code":"","empty_plot":7,"total":10,"amount_receivable":10,"out_channel_id":"1"}', 1490876218000, 1, 'no answer', 4000),
  (9, 9, 'bolink', 'bolink.in_park', 'in_park', 'order_id=A2', 'record', '{"service_name":"in_park","order_id":"A2","car_number":"京A12346","in_time":1490875219,"car_type":"小型车","c_type":"通道扫牌","uid":"1","empty_plot":7,"in_channel_id":"1"}', 1490875219000, 0, NULL, 4000);
INSERT INTO count SELECT platform, count(*), sum(length(CAST(data AS BLOB))) FROM record GROUP BY platform;
INSERT INTO dead VALUES (3, 3, 'bolink', 'bolink.in_park', 'in_park', 'order_id=A0', 'record', '{"service_name":"in_park","order_id":"A0"}', 1490875000000, 1, 1490875001000, 'refused', 'no such lot', '{"state":0}');
