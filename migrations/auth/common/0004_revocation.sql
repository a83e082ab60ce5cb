-- What access tokens that are still valid by themselves do not know yet.
-- Every process polls it; rows are purged when such tokens have expired.
CREATE TABLE revocation (
    -- The row's id.
    id UUID PRIMARY KEY,
    -- A sign-in that ended. No reference: it outlives the purge of its sign-in.
    sign_in_id UUID,
    -- A user whose role changed.
    account_id UUID,
    -- The role of that user from now on.
    role TEXT,
    -- When it happened.
    created_at TIMESTAMPTZ NOT NULL,
    CHECK ((sign_in_id IS NULL) <> (account_id IS NULL)),
    CHECK ((account_id IS NULL) = (role IS NULL))
);

-- For the poll of what is new, and for the purge.
CREATE INDEX revocation_created_at ON revocation (created_at);
