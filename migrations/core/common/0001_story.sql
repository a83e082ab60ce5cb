-- The story engine's first tables. Runs unchanged on SQLite and PostgreSQL.
-- Moments are always bound by the program (UTC, whole microseconds), never defaults.

-- Whom a player plays.
CREATE TABLE persona (
    id          UUID        NOT NULL PRIMARY KEY,
    owner_id    UUID        NOT NULL,              -- user (auth's), who alone sees it
    name        TEXT        NOT NULL,
    description TEXT        NOT NULL,
    appearance  TEXT        NOT NULL,
    personality TEXT        NOT NULL,
    age         TEXT,                              -- as the player words it
    gender      TEXT,                              -- gender or pronouns, as the player words it
    avatar_url  TEXT,                              -- stored, never fetched
    tags        JSONB       NOT NULL,              -- array of strings
    fandom      TEXT,
    is_default  BOOLEAN     NOT NULL,              -- taken for new sessions
    version     BIGINT      NOT NULL,              -- counts edits
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL,
    deleted_at  TIMESTAMPTZ                        -- kept while a story uses it
);
-- At most one default a player.
CREATE UNIQUE INDEX persona_default ON persona (owner_id) WHERE is_default;
-- Serves a player's list, oldest first.
CREATE INDEX persona_by_owner ON persona (owner_id, created_at, id);

-- A character that a model plays.
CREATE TABLE character (
    id                        UUID        NOT NULL PRIMARY KEY,
    creator_id                UUID,                -- user; none for what came with the server
    name                      TEXT        NOT NULL,
    description               TEXT        NOT NULL,
    appearance                TEXT        NOT NULL,
    personality               TEXT        NOT NULL,
    scenario                  TEXT        NOT NULL, -- where and how a story with it begins
    greeting                  TEXT        NOT NULL, -- first message; may be empty
    alternate_greetings       JSONB       NOT NULL, -- array of strings: siblings of the greeting
    example_dialogue          TEXT        NOT NULL,
    system_prompt             TEXT        NOT NULL,
    post_history_instructions TEXT        NOT NULL,
    creator_notes             TEXT        NOT NULL, -- for readers of the catalogue, never in a prompt
    language                  TEXT,                -- BCP 47 tag of its texts
    tags                      JSONB       NOT NULL, -- array of strings
    fandom                    TEXT,
    rating                    TEXT        NOT NULL CHECK (rating IN ('GENERAL', 'TEEN', 'MATURE')),
    visibility                TEXT        NOT NULL CHECK (visibility IN ('PRIVATE', 'UNLISTED', 'PUBLIC')),
    avatar_url                TEXT,
    version                   BIGINT      NOT NULL,
    created_at                TIMESTAMPTZ NOT NULL,
    updated_at                TIMESTAMPTZ NOT NULL,
    deleted_at                TIMESTAMPTZ          -- stays readable to the sessions that use it
);
-- Serves the catalogue, newest first.
CREATE INDEX character_catalogue ON character (visibility, created_at, id);
-- Serves "mine", newest first.
CREATE INDEX character_by_creator ON character (creator_id, created_at, id);

-- One playthrough.
CREATE TABLE session (
    id               UUID        NOT NULL PRIMARY KEY,
    owner_id         UUID        NOT NULL,
    title            TEXT,
    mode             TEXT        NOT NULL CHECK (mode IN ('SANDBOX', 'SCENARIO')),
    language         TEXT        NOT NULL,         -- BCP 47 tag the story is told in
    narrative_voice  TEXT        NOT NULL CHECK (narrative_voice IN ('FIRST', 'SECOND', 'THIRD')),
    relationship     TEXT,                         -- what persona and cast are to each other
    persona_id       UUID        REFERENCES persona (id) ON DELETE SET NULL,
    story_model      TEXT,                         -- model id; the server's choice if absent
    head_id          UUID,                         -- selected leaf; of this session (checked per dialect)
    last_sequence    BIGINT      NOT NULL,         -- of session_event
    version          BIGINT      NOT NULL,         -- counts edits of the settings
    created_at       TIMESTAMPTZ NOT NULL,
    last_activity_at TIMESTAMPTZ NOT NULL,
    deleted_at       TIMESTAMPTZ
);
-- Serves "which sessions use this persona" when it is deleted.
CREATE INDEX session_by_persona ON session (persona_id);

-- Who takes part in a session; today its owner.
CREATE TABLE session_participant (
    session_id UUID        NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    user_id    UUID        NOT NULL,
    role       TEXT        NOT NULL CHECK (role IN ('OWNER', 'PLAYER')),
    joined_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (session_id, user_id)
);
-- Serves a player's list of sessions.
CREATE INDEX session_participant_by_user ON session_participant (user_id, session_id);

-- The characters on stage, in order; name and avatar as they were when they joined.
CREATE TABLE cast_member (
    session_id   UUID   NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    position     BIGINT NOT NULL,
    character_id UUID   REFERENCES character (id) ON DELETE SET NULL,
    name         TEXT   NOT NULL,
    avatar_url   TEXT,
    PRIMARY KEY (session_id, position)
);
-- Serves "does a session of this player use this character".
CREATE INDEX cast_member_by_character ON cast_member (character_id, session_id);

-- A node of a story's tree. Parent, depth and jump pointer never change (checked per dialect).
CREATE TABLE message (
    id                  UUID        NOT NULL PRIMARY KEY,
    session_id          UUID        NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    parent_id           UUID,
    depth               BIGINT      NOT NULL,      -- edges to the root
    jump_id             UUID,                      -- skew-binary jump pointer to an ancestor (Myers 1983)
    jump_depth          BIGINT      NOT NULL,      -- depth of that ancestor; 0 at a root
    role                TEXT        NOT NULL CHECK (role IN ('PLAYER', 'CHARACTER', 'NARRATOR', 'SYSTEM')),
    author_name         TEXT        NOT NULL,      -- as it was when this was written
    author_avatar_url   TEXT,
    author_user_id      UUID,
    author_persona_id   UUID        REFERENCES persona (id) ON DELETE SET NULL,
    author_character_id UUID        REFERENCES character (id) ON DELETE SET NULL,
    content             TEXT        NOT NULL,      -- empty while the reply is being written
    thought             TEXT,                      -- hidden reasoning
    status              TEXT        NOT NULL
        CHECK (status IN ('PENDING', 'WRITING', 'COMPLETE', 'STOPPED', 'INTERRUPTED', 'FAILED')),
    revision            BIGINT      NOT NULL,      -- counts edits in place, from 1
    edited_from_id      UUID        REFERENCES message (id) ON DELETE SET NULL,
    hidden_from_prompt  BOOLEAN     NOT NULL,
    created_at          TIMESTAMPTZ NOT NULL,
    edited_at           TIMESTAMPTZ,
    deleted_at          TIMESTAMPTZ,
    deletion_id         UUID,                      -- one id for everything that one deletion took
    UNIQUE (session_id, id),
    CHECK ((parent_id IS NULL) = (depth = 0)),
    CHECK ((jump_id IS NULL) = (depth = 0)),
    CHECK ((deleted_at IS NULL) = (deletion_id IS NULL)),
    FOREIGN KEY (session_id, parent_id) REFERENCES message (session_id, id),
    FOREIGN KEY (session_id, jump_id) REFERENCES message (session_id, id)
);
-- Serves siblings and children in their order.
CREATE INDEX message_by_parent ON message (parent_id, created_at, id);
-- Serves the whole tree in order of creation, and its roots.
CREATE INDEX message_by_session ON message (session_id, created_at, id);

-- What a message said before it was edited in place.
CREATE TABLE message_revision (
    message_id UUID        NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    revision   BIGINT      NOT NULL,
    content    TEXT        NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,               -- when this revision was written
    PRIMARY KEY (message_id, revision)
);

-- The job by which a model writes a message. Every write is fenced by owner and attempt.
CREATE TABLE reply (
    message_id      UUID        NOT NULL PRIMARY KEY REFERENCES message (id) ON DELETE CASCADE,
    session_id      UUID        NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    user_id         UUID        NOT NULL,          -- who asked for it
    job             JSONB       NOT NULL,          -- what was asked: speaker, task, instruction, model
    model           TEXT        NOT NULL,          -- model id
    attempt         BIGINT      NOT NULL,          -- counted from 1
    stage           TEXT        NOT NULL CHECK (stage IN ('RECALLING', 'WAITING', 'WRITING', 'RETRYING')),
    leased_by       UUID,                          -- process that writes it
    leased_until    BIGINT      NOT NULL,          -- milliseconds since 1970 on the database's clock
    stop_requested  BOOLEAN     NOT NULL,
    draft_content   TEXT        NOT NULL,          -- flushed four times a second while it is written
    draft_thought   TEXT        NOT NULL,
    failure_code    TEXT,
    failure_message TEXT,
    retry_at        TIMESTAMPTZ,
    finish_reason   TEXT        CHECK (finish_reason IN ('STOP', 'LENGTH')),
    prompt_tokens   BIGINT,
    cached_tokens   BIGINT,
    output_tokens   BIGINT,
    thought_tokens  BIGINT,
    created_at      TIMESTAMPTZ NOT NULL,
    first_text_at   TIMESTAMPTZ,
    finished_at     TIMESTAMPTZ                    -- set once, with the message's terminal status
);
-- Serves running replies of a session, limits, and recovery: few rows at any time.
CREATE INDEX reply_running ON reply (session_id, message_id) WHERE finished_at IS NULL;
CREATE INDEX reply_running_by_user ON reply (user_id) WHERE finished_at IS NULL;

-- A session's log: what clients resume from.
CREATE TABLE session_event (
    session_id UUID        NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    sequence   BIGINT      NOT NULL,               -- 1, 2, 3 … in commit order
    body       JSONB       NOT NULL,               -- object with the event's type and facts of the moment
    at         TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (session_id, sequence)
);

-- The leaves a player has visited, so that selecting a message returns to the newest one below.
CREATE TABLE branch_tip (
    session_id UUID        NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    leaf_id    UUID        NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    visited_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (session_id, leaf_id)
);

-- Requests that created something: the same id again gives the first result.
CREATE TABLE client_request (
    user_id    UUID        NOT NULL,
    request_id TEXT        NOT NULL,               -- chosen by the client
    kind       TEXT        NOT NULL,               -- the mutation
    input_hash BYTEA       NOT NULL,               -- SHA-256 of the input
    result     JSONB       NOT NULL,               -- ids of what was made
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (user_id, request_id)
);
