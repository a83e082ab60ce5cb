-- What is known of characters and personas, fact by fact: what may come to mind while a story is told.

CREATE TABLE fact (
    id           UUID        NOT NULL PRIMARY KEY,
    character_id UUID        REFERENCES character (id) ON DELETE CASCADE,
    persona_id   UUID        REFERENCES persona (id) ON DELETE CASCADE,
    -- Whom it is about, a character or a persona: what lists and recall ask for.
    owner_id     UUID        NOT NULL GENERATED ALWAYS AS (coalesce(character_id, persona_id)) STORED,
    text         TEXT        NOT NULL,
    category     TEXT,                             -- the writer's own word, such as "childhood"
    keys         JSONB       NOT NULL,             -- array of strings; if there are any, one of them has to be said before it comes to mind
    version      BIGINT      NOT NULL,             -- counts edits
    created_at   TIMESTAMPTZ NOT NULL,
    updated_at   TIMESTAMPTZ NOT NULL,
    CHECK ((character_id IS NULL) <> (persona_id IS NULL))
);
-- Serves the list of an owner's facts, oldest first, their count, and recall.
CREATE INDEX fact_by_owner ON fact (owner_id, created_at, id);
-- Serve the end of the links above when an owner is erased.
CREATE INDEX fact_by_character ON fact (character_id) WHERE character_id IS NOT NULL;
CREATE INDEX fact_by_persona ON fact (persona_id) WHERE persona_id IS NOT NULL;
