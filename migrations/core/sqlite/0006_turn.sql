-- Marks of the player's on messages, replies that go on from another's text, and a failed reply
-- that is tried once more.

-- The name under which a player keeps a message; none if it is not kept.
ALTER TABLE message ADD COLUMN bookmark TEXT;
-- Serves a session's bookmarks in order of the messages' creation.
CREATE INDEX message_bookmarked ON message (session_id, created_at, id) WHERE bookmark IS NOT NULL;

-- The cut reply whose text this one begins with. While such a reply is being written, its
-- content is that text, and so it is if not a word is added.
ALTER TABLE message ADD COLUMN continued_from_id UUID REFERENCES message (id) ON DELETE SET NULL;

-- A terminal status stays, but for one way back: what failed without a word of its own may be
-- tried again in the same place.
DROP TRIGGER message_end_is_final;
CREATE TRIGGER message_end_is_final BEFORE UPDATE OF status ON message
WHEN OLD.status NOT IN ('PENDING', 'WRITING') AND NEW.status <> OLD.status
    AND NOT (OLD.status = 'FAILED' AND NEW.status = 'PENDING')
BEGIN
    SELECT RAISE(ABORT, 'message_end_is_final: a terminal status stays');
END;
