-- Lorebooks: what is known of a world, entry by entry, and the stories that are told with it.

CREATE TABLE lorebook (
    id          UUID        NOT NULL PRIMARY KEY,
    creator_id  UUID,                              -- user; none for what came with the server
    name        TEXT        NOT NULL,
    description TEXT        NOT NULL,
    visibility  TEXT        NOT NULL CHECK (visibility IN ('PRIVATE', 'UNLISTED', 'PUBLIC')),
    settings    JSONB       NOT NULL,              -- object: how its keys are looked for; absent fields are the server's choice
    version     BIGINT      NOT NULL,              -- counts edits of this row
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL,
    deleted_at  TIMESTAMPTZ                        -- stays readable where it is attached
);
-- Serves the catalogue, newest first.
CREATE INDEX lorebook_catalogue ON lorebook (visibility, created_at, id);
-- Serves "mine", newest first, and the count of a player's books.
CREATE INDEX lorebook_by_creator ON lorebook (creator_id, created_at, id);
-- Serves the purge: lorebooks deleted long ago.
CREATE INDEX lorebook_deleted ON lorebook (deleted_at) WHERE deleted_at IS NOT NULL;

-- What a lorebook says of one thing.
CREATE TABLE lore_entry (
    id              UUID        NOT NULL PRIMARY KEY,
    lorebook_id     UUID        NOT NULL REFERENCES lorebook (id) ON DELETE CASCADE,
    title           TEXT        NOT NULL,          -- for readers, never in a prompt; may be empty
    content         TEXT        NOT NULL,          -- what a model is told; an empty one tells nothing
    keys            JSONB       NOT NULL,          -- array of strings: words that wake it
    secondary_keys  JSONB       NOT NULL,          -- array of strings: words that have to be there beside them
    enabled         BOOLEAN     NOT NULL,          -- the others are never told
    constant        BOOLEAN     NOT NULL,          -- told whatever is said
    recall          BOOLEAN     NOT NULL,          -- comes to mind by its meaning, too
    insertion_order BIGINT      NOT NULL,          -- among those that are told: lower ones come earlier
    settings        JSONB       NOT NULL,          -- object: everything else that formats of lorebooks know of an entry
    version         BIGINT      NOT NULL,          -- counts edits
    created_at      TIMESTAMPTZ NOT NULL,
    updated_at      TIMESTAMPTZ NOT NULL
);
-- Serves the entries of a book in order, their count, and recall.
CREATE INDEX lore_entry_by_lorebook ON lore_entry (lorebook_id, created_at, id);

-- Where a lorebook belongs to: a session, a character or a persona.
CREATE TABLE lorebook_attachment (
    lorebook_id  UUID   NOT NULL REFERENCES lorebook (id) ON DELETE CASCADE,
    session_id   UUID   REFERENCES session (id) ON DELETE CASCADE,
    character_id UUID   REFERENCES character (id) ON DELETE CASCADE,
    persona_id   UUID   REFERENCES persona (id) ON DELETE CASCADE,
    -- The one of them that is there: what lists and recall ask for.
    target_id    UUID   NOT NULL GENERATED ALWAYS AS (coalesce(session_id, character_id, persona_id)) STORED,
    position     BIGINT NOT NULL,                  -- 0, 1, 2 … in the owner's order
    CHECK ((CASE WHEN session_id IS NULL THEN 0 ELSE 1 END)
        + (CASE WHEN character_id IS NULL THEN 0 ELSE 1 END)
        + (CASE WHEN persona_id IS NULL THEN 0 ELSE 1 END) = 1)
);
-- A book is attached to one target once. Serves the books of a target, and recall.
CREATE UNIQUE INDEX lorebook_attachment_by_target ON lorebook_attachment (target_id, lorebook_id);
-- Serves "who may read this book" and "is it attached anywhere".
CREATE INDEX lorebook_attachment_by_lorebook ON lorebook_attachment (lorebook_id);
-- Serve the end of the links above when a target is erased.
CREATE INDEX lorebook_attachment_by_session ON lorebook_attachment (session_id)
    WHERE session_id IS NOT NULL;
CREATE INDEX lorebook_attachment_by_character ON lorebook_attachment (character_id)
    WHERE character_id IS NOT NULL;
CREATE INDEX lorebook_attachment_by_persona ON lorebook_attachment (persona_id)
    WHERE persona_id IS NOT NULL;

-- Lorebooks are in a player's library, too. SQLite cannot change a check, so the table is made anew.
CREATE TABLE library_change_anew (
    user_id        UUID        NOT NULL,
    node_kind      TEXT        NOT NULL
        CHECK (node_kind IN ('PERSONA', 'CHARACTER', 'SESSION', 'LOREBOOK')),
    node_id        UUID        NOT NULL,
    sequence       BIGINT      NOT NULL,           -- of the last change, in commit order
    added_sequence BIGINT      NOT NULL,           -- of the change that brought it; 0 if older than the log
    removed        BOOLEAN     NOT NULL,           -- kept so that others learn of it, then dropped
    at             TIMESTAMPTZ NOT NULL,           -- of the last change
    PRIMARY KEY (user_id, node_kind, node_id)
);
INSERT INTO library_change_anew (user_id, node_kind, node_id, sequence, added_sequence, removed, at)
SELECT user_id, node_kind, node_id, sequence, added_sequence, removed, at FROM library_change;
DROP TABLE library_change;
ALTER TABLE library_change_anew RENAME TO library_change;
-- Serves the replay after a number.
CREATE UNIQUE INDEX library_change_by_sequence ON library_change (user_id, sequence);
-- Serves the purge of old removals.
CREATE INDEX library_change_removed ON library_change (at) WHERE removed;
