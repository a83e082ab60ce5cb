-- The keys that sign access tokens. They make this database a secret.
CREATE TABLE signing_key (
    -- The id in the head of tokens: the RFC 7638 thumbprint of the public key.
    kid TEXT PRIMARY KEY,
    -- PKCS #8, or a nonce and its AES-256-GCM ciphertext if sealed.
    private_key BYTEA NOT NULL,
    -- Whether the private key is encrypted with the configured secret.
    sealed BOOLEAN NOT NULL,
    -- When the key was made; the newest that is not retired signs.
    created_at TIMESTAMPTZ NOT NULL,
    -- From when on it only verifies.
    retired_at TIMESTAMPTZ
);
