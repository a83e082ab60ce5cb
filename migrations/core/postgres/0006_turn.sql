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
CREATE OR REPLACE FUNCTION message_laws() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.session_id, NEW.depth, NEW.jump_depth) IS DISTINCT FROM (OLD.session_id, OLD.depth, OLD.jump_depth)
        OR NEW.parent_id IS DISTINCT FROM OLD.parent_id
        OR NEW.jump_id IS DISTINCT FROM OLD.jump_id THEN
        RAISE EXCEPTION 'message_place_is_final: a message never moves';
    END IF;
    IF OLD.status NOT IN ('PENDING', 'WRITING') AND NEW.status <> OLD.status
        AND NOT (OLD.status = 'FAILED' AND NEW.status = 'PENDING') THEN
        RAISE EXCEPTION 'message_end_is_final: a terminal status stays';
    END IF;
    RETURN NEW;
END;
$$;
