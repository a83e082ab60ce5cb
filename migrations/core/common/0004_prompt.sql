-- What models were asked with: each reply can say it, and send it again byte for byte.

-- A piece of a prompt, stored once for each session however often it is sent.
CREATE TABLE prompt_block (
    session_id UUID   NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    number     BIGINT NOT NULL,                    -- 1, 2, 3 … in order of first use
    hash       BYTEA  NOT NULL,                    -- SHA-256 of kind, role, source and text
    kind       TEXT   NOT NULL,                    -- what it says, such as HISTORY
    role       TEXT   NOT NULL CHECK (role IN ('SYSTEM', 'USER', 'MODEL')),
    source     TEXT,                               -- typed id of what it was made from
    text       TEXT   NOT NULL,
    PRIMARY KEY (session_id, number),
    UNIQUE (session_id, hash)
);

-- How the prompt of a reply is put together; its last attempt's.
CREATE TABLE prompt_plan (
    message_id UUID   NOT NULL PRIMARY KEY REFERENCES reply (message_id) ON DELETE CASCADE,
    session_id UUID   NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    attempt    BIGINT NOT NULL,                    -- of the reply
    began_with UUID,                               -- first message of the history
    plan       JSONB  NOT NULL                     -- numbers of blocks, sizes, what was dropped, pieces of the body
);
-- Serves the erasure of a session.
CREATE INDEX prompt_plan_by_session ON prompt_plan (session_id);

-- How a model's tokenizer weighs text, learnt from the counts that replies bring.
CREATE TABLE token_calibration (
    model TEXT  NOT NULL PRIMARY KEY,              -- model id
    state JSONB NOT NULL                           -- factors, their covariance, count of samples
);
