-- The store of parklink. Times: created, died, received and at in milliseconds since 1970 by the machine's clock; seen and
-- stored in seconds of the store's own running time, which no clock change moves.
-- Run on a new file, and on one of an older version for what it lacks (file.rs adds the columns).
CREATE TABLE IF NOT EXISTS record (
  id        INTEGER PRIMARY KEY,        -- never given twice: see meta
  ticket    INTEGER NOT NULL,
  platform  TEXT NOT NULL,              -- the link that carries it
  interface TEXT,                       -- the catalogue's id
  service   TEXT NOT NULL,
  order_key TEXT,                       -- records with the same key leave in order
  class     TEXT NOT NULL,
  data      TEXT NOT NULL,              -- members, as they go into the message's data
  created   INTEGER NOT NULL,
  attempts  INTEGER NOT NULL DEFAULT 0,
  last_error TEXT,
  stored    INTEGER NOT NULL DEFAULT 0  -- grows with id: the oldest are the first
);
CREATE INDEX IF NOT EXISTS record_of_log ON record (id) WHERE class = 'log';
-- Which records share an order key: their numbers by a hash of platform and key. It is written late (meta, listed) and
-- cleared late; what counts is the record.
CREATE TABLE IF NOT EXISTS key (
  place     INTEGER PRIMARY KEY,        -- id / 32768 * 64 + the first bits of the hash
  entries   BLOB NOT NULL               -- the last bits of the hash, id modulo 32768: four bytes each
);
CREATE TABLE IF NOT EXISTS dead (
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
CREATE TABLE IF NOT EXISTS event (
  id        INTEGER PRIMARY KEY,
  repeat_key TEXT NOT NULL,             -- what makes a repeated downlink the same one
  content   TEXT,                       -- the same, where only the content tells
  platform  TEXT NOT NULL,
  service   TEXT NOT NULL,
  message   TEXT NOT NULL,
  received  INTEGER NOT NULL,
  seen      INTEGER NOT NULL,
  answer    TEXT,                       -- what the software answered
  answered  INTEGER NOT NULL DEFAULT 0, -- 1: answered
  delivered INTEGER NOT NULL DEFAULT 0  -- 1: the platform has the answer (or needs none)
);
CREATE INDEX IF NOT EXISTS event_of_key ON event (repeat_key, id);
CREATE INDEX IF NOT EXISTS event_unfinished ON event (id) WHERE delivered = 0;
CREATE INDEX IF NOT EXISTS event_finished ON event (seen) WHERE delivered = 1;
CREATE TABLE IF NOT EXISTS replaced (   -- damaged stores that this one took the place of
  id        INTEGER PRIMARY KEY,
  at        INTEGER NOT NULL,
  why       TEXT NOT NULL,
  old_file  TEXT NOT NULL,              -- in the same folder
  rows      INTEGER NOT NULL            -- taken over from it
);
-- How many records wait. Of numbers from meta's listed on they are not counted here but in record. The library keeps it in
-- step by itself; the triggers do it for who changes records by hand, while the store is closed.
CREATE TABLE IF NOT EXISTS count (
  platform  TEXT NOT NULL,
  span      INTEGER NOT NULL,           -- id / 2048
  records   INTEGER NOT NULL,
  bytes     INTEGER NOT NULL,           -- of data
  PRIMARY KEY (platform, span)
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS record_put AFTER INSERT ON record BEGIN
  INSERT OR IGNORE INTO count VALUES (new.platform, new.id >> 11, 0, 0);
  UPDATE count SET records = records + 1, bytes = bytes + length(CAST(new.data AS BLOB))
    WHERE platform = new.platform AND span = new.id >> 11;
END;
CREATE TRIGGER IF NOT EXISTS record_taken AFTER DELETE ON record BEGIN
  UPDATE count SET records = records - 1, bytes = bytes - length(CAST(old.data AS BLOB))
    WHERE platform = old.platform AND span = old.id >> 11;
END;
CREATE TRIGGER IF NOT EXISTS record_changed AFTER UPDATE OF id, platform, data ON record BEGIN
  UPDATE count SET records = records - 1, bytes = bytes - length(CAST(old.data AS BLOB))
    WHERE platform = old.platform AND span = old.id >> 11;
  INSERT OR IGNORE INTO count VALUES (new.platform, new.id >> 11, 0, 0);
  UPDATE count SET records = records + 1, bytes = bytes + length(CAST(new.data AS BLOB))
    WHERE platform = new.platform AND span = new.id >> 11;
END;
-- seconds: the store's running time. numbered: no record has a greater number. listed: of records below it the keys are in
-- key, the counts in count.
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
INSERT OR IGNORE INTO meta VALUES ('seconds', 0), ('numbered', 0), ('listed', 0);
