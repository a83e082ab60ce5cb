-- What changed in a player's library, and what the purge finds its work by.

-- How far the log of a player's library has come. Locked last by whatever changes the library.
CREATE TABLE library (
    user_id            UUID   NOT NULL PRIMARY KEY, -- user (auth's)
    last_sequence      BIGINT NOT NULL,            -- of library_change
    forgotten_sequence BIGINT NOT NULL             -- newest removal that was dropped from it; 0 if none
);

-- The last change of each persona, own character and session, so that lists follow it.
CREATE TABLE library_change (
    user_id        UUID        NOT NULL,
    node_kind      TEXT        NOT NULL CHECK (node_kind IN ('PERSONA', 'CHARACTER', 'SESSION')),
    node_id        UUID        NOT NULL,
    sequence       BIGINT      NOT NULL,           -- of the last change, in commit order
    added_sequence BIGINT      NOT NULL,           -- of the change that brought it; 0 if older than the log
    removed        BOOLEAN     NOT NULL,           -- kept so that others learn of it, then dropped
    at             TIMESTAMPTZ NOT NULL,           -- of the last change
    PRIMARY KEY (user_id, node_kind, node_id)
);
-- Serves the replay after a number.
CREATE UNIQUE INDEX library_change_by_sequence ON library_change (user_id, sequence);
-- Serves the purge of old removals.
CREATE INDEX library_change_removed ON library_change (at) WHERE removed;

-- Serves the purge: sessions with messages deleted long ago.
CREATE INDEX message_deleted ON message (deleted_at, session_id) WHERE deleted_at IS NOT NULL;
-- Serves the purge: sessions deleted long ago.
CREATE INDEX session_deleted ON session (deleted_at) WHERE deleted_at IS NOT NULL;
-- Serves the purge: personas deleted long ago.
CREATE INDEX persona_deleted ON persona (deleted_at) WHERE deleted_at IS NOT NULL;
-- Serves the purge: characters deleted long ago.
CREATE INDEX character_deleted ON character (deleted_at) WHERE deleted_at IS NOT NULL;
-- Serves the purge: old requests.
CREATE INDEX client_request_by_age ON client_request (created_at);

-- Serve the foreign keys that each erased row is checked against, and "does anybody use it".
-- Without session_id in front SQLite walks the whole session for each row.
CREATE INDEX message_by_place ON message (session_id, parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX message_by_persona ON message (author_persona_id) WHERE author_persona_id IS NOT NULL;
CREATE INDEX message_by_character ON message (author_character_id)
    WHERE author_character_id IS NOT NULL;
