-- Files that come and go over HTTP. Runs unchanged on SQLite and PostgreSQL.

-- The key by which links to files are signed: one row, shared by all processes.
CREATE TABLE file_key (
    id         BIGINT      NOT NULL PRIMARY KEY CHECK (id = 1),
    secret     BYTEA       NOT NULL,               -- 32 random bytes for HMAC-SHA256
    created_at TIMESTAMPTZ NOT NULL
);

-- A file that a player sends. Its bytes lie in the folder of files under this id; the row goes
-- when they are used or expired, and the bytes with it.
CREATE TABLE upload (
    id             UUID        NOT NULL PRIMARY KEY,
    user_id        UUID        NOT NULL,           -- who may send and use it
    file_name      TEXT        NOT NULL,           -- as the player calls it: for reports, never a path
    byte_size      BIGINT,                         -- how many bytes will come; none if it is not known
    max_bytes      BIGINT      NOT NULL,           -- how many may come
    received_bytes BIGINT,                         -- how many came; none until all are there
    created_at     TIMESTAMPTZ NOT NULL,
    expires_at     TIMESTAMPTZ NOT NULL
);
-- Serves the quota of a player.
CREATE INDEX upload_by_user ON upload (user_id, expires_at);
-- Serves the sweep of what has expired.
CREATE INDEX upload_by_expiry ON upload (expires_at);

-- Serves an export: a whole tree in pages, parents before their children.
CREATE INDEX message_by_depth ON message (session_id, depth, created_at, id);

-- What was told about a session that came from a file, so that the same request is told the same.
CREATE TABLE session_import (
    session_id UUID  NOT NULL PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE,
    report     JSONB NOT NULL                      -- format, count of messages, what was adapted or left out
);
