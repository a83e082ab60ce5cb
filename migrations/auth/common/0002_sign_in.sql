-- A device that holds tokens: the family of refresh tokens that descend from one login.
CREATE TABLE sign_in (
    -- The id that access tokens carry as "sid".
    id UUID PRIMARY KEY,
    -- Whose sign-in it is.
    account_id UUID NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    -- When the user logged in.
    created_at TIMESTAMPTZ NOT NULL,
    -- When it last gave out an access token.
    last_used_at TIMESTAMPTZ NOT NULL,
    -- When it ends however often it is used.
    expires_at TIMESTAMPTZ NOT NULL,
    -- When it was ended by a logout, a new password, or the reuse of a token.
    ended_at TIMESTAMPTZ,
    -- The User-Agent header of the login, so that its owner recognises the device.
    user_agent TEXT
);

-- For the list of one's sign-ins, and for ending them all.
CREATE INDEX sign_in_account ON sign_in (account_id, last_used_at);
-- For the daily purge.
CREATE INDEX sign_in_expires_at ON sign_in (expires_at);

-- A refresh token: usable once, then followed by its successor.
CREATE TABLE refresh_token (
    -- SHA-256 of the token; the token itself is only ever with the client.
    hash BYTEA PRIMARY KEY,
    -- The sign-in it belongs to.
    sign_in_id UUID NOT NULL REFERENCES sign_in (id) ON DELETE CASCADE,
    -- The token in exchange for which this one was made; null for the first.
    predecessor BYTEA,
    -- When it was made.
    created_at TIMESTAMPTZ NOT NULL,
    -- When it can no longer be used.
    expires_at TIMESTAMPTZ NOT NULL,
    -- When it was exchanged for a successor.
    used_at TIMESTAMPTZ,
    -- When another successor took its place, because the answer that held it was lost.
    replaced_at TIMESTAMPTZ
);

-- For finding the successor of a token that is presented again.
CREATE INDEX refresh_token_predecessor ON refresh_token (predecessor);
-- For the cascade when a sign-in is purged.
CREATE INDEX refresh_token_sign_in ON refresh_token (sign_in_id);
