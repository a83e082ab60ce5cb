-- What models cost: one row for each call that reported its tokens, retries included.
CREATE TABLE model_call (
    id            UUID        NOT NULL PRIMARY KEY,
    user_id       UUID        NOT NULL,            -- for whom
    session_id    UUID        REFERENCES session (id) ON DELETE SET NULL,
    message_id    UUID,                            -- the reply it wrote or tried to write
    role          TEXT        NOT NULL CHECK (role IN ('STORY', 'SUPERVISOR', 'EMBEDDING')),
    model         TEXT        NOT NULL,            -- model id
    prompt_tokens BIGINT      NOT NULL,            -- cached ones included
    cached_tokens BIGINT      NOT NULL,
    output_tokens BIGINT      NOT NULL,            -- thought excluded
    thought_tokens BIGINT     NOT NULL,
    cost          BIGINT,                          -- billionths of a US dollar at that day's price; none if the price is not known
    at            TIMESTAMPTZ NOT NULL
);
-- Serves the sums of a player over a period.
CREATE INDEX model_call_by_user ON model_call (user_id, at);
-- Serves the sums of a session.
CREATE INDEX model_call_by_session ON model_call (session_id);

-- What the attempt that ended a reply cost, in billionths of a US dollar; none if the price is not known.
ALTER TABLE reply ADD COLUMN cost BIGINT;
