-- Vectors of texts, by which what means the same is found though it shares no word. They can be
-- made again from the texts: whoever erases them loses time and what the model costs, no more.

-- The vector of a text, by one model in one length. Texts are found by their hash, so that an
-- edited one has none yet, and a text that a scope repeats has one.
CREATE TABLE embedding (
    scope_id   UUID   NOT NULL,                    -- the session, character or persona whose text it is
    model      TEXT   NOT NULL,                    -- model id
    dimensions BIGINT NOT NULL CHECK (dimensions > 0), -- how many numbers
    hash       BYTEA  NOT NULL,                    -- SHA-256 of the text that was embedded
    vector     BYTEA  NOT NULL,                    -- f32 numbers, least byte first; of length 1
    PRIMARY KEY (scope_id, model, dimensions, hash)
);

-- Serves "does another scope have this text's vector": then nobody embeds it again.
CREATE INDEX embedding_by_text ON embedding (hash, model, dimensions);
