-- Who may sign in: one row per person.
CREATE TABLE account (
    -- The user's id in the graph.
    id UUID PRIMARY KEY,
    -- The name as its owner writes it, normalised to NFKC.
    username TEXT NOT NULL,
    -- The name case-folded: what people type to sign in.
    username_key TEXT NOT NULL UNIQUE,
    -- The folded name with look-alike letters made equal, so that nobody can pose as
    -- somebody else.
    username_skeleton TEXT NOT NULL UNIQUE,
    -- The same of the name as it is written: a capital I looks like a small l, but i does not.
    username_look TEXT NOT NULL UNIQUE,
    -- The e-mail address as it was given.
    email TEXT NOT NULL,
    -- The e-mail address case-folded.
    email_key TEXT NOT NULL UNIQUE,
    -- A PHC string of Argon2id.
    password_hash TEXT NOT NULL,
    -- USER, MODERATOR or ADMIN.
    role TEXT NOT NULL,
    -- The name shown to others.
    display_name TEXT NOT NULL,
    -- A picture; stored, never fetched by the server.
    avatar_url TEXT,
    -- What the user says of themselves.
    about TEXT,
    -- The day of birth, from which the claim "minor" follows.
    birth_date DATE,
    -- The client's id for the registration, so that a retry finds the first result. Strangers
    -- may choose the same: only together with the names and the password it means anything.
    client_request_id TEXT,
    -- When the account was made.
    created_at TIMESTAMPTZ NOT NULL,
    CHECK (role IN ('USER', 'MODERATOR', 'ADMIN'))
);

-- For staff's list of users, newest first.
CREATE INDEX account_created_at ON account (created_at, id);
