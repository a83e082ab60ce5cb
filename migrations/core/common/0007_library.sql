-- A player's shelf of sessions: put away, tagged, found by title, listed in several orders.

-- When the player put it away; on the list if absent.
ALTER TABLE session ADD COLUMN archived_at TIMESTAMPTZ;
-- The title, case-folded by the program: SQLite folds ASCII alone. Empty without a title, and for
-- sessions from before this migration until the program has started once.
ALTER TABLE session ADD COLUMN title_folded TEXT NOT NULL DEFAULT '';

-- Serves a player's sessions by last activity, the usual order.
CREATE INDEX session_by_activity ON session (owner_id, last_activity_at, id);
-- Serves a player's sessions by creation.
CREATE INDEX session_by_creation ON session (owner_id, created_at, id);
-- Serves a player's sessions by title.
CREATE INDEX session_by_title ON session (owner_id, title_folded, id);
-- Serves the look for titles that are not folded yet; holds few rows, or none.
CREATE INDEX session_unfolded ON session (id) WHERE title_folded = '' AND title IS NOT NULL;

-- Words by which a player sorts their sessions.
CREATE TABLE session_tag (
    session_id UUID   NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    folded     TEXT   NOT NULL,                    -- case-folded by the program: what finds it
    position   BIGINT NOT NULL,                    -- 0, 1, 2 … in the player's order
    tag        TEXT   NOT NULL,                    -- as the player wrote it
    PRIMARY KEY (session_id, folded)
);
