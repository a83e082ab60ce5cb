-- The laws of the tree that SQLite can only state as triggers.

CREATE TRIGGER session_head_belongs BEFORE UPDATE OF head_id ON session
WHEN NEW.head_id IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM message WHERE id = NEW.head_id AND session_id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'session_head_belongs: the head is a message of the session');
END;

CREATE TRIGGER message_place_is_final
BEFORE UPDATE OF session_id, parent_id, depth, jump_id, jump_depth ON message
BEGIN
    SELECT RAISE(ABORT, 'message_place_is_final: a message never moves');
END;

CREATE TRIGGER message_end_is_final BEFORE UPDATE OF status ON message
WHEN OLD.status NOT IN ('PENDING', 'WRITING') AND NEW.status <> OLD.status
BEGIN
    SELECT RAISE(ABORT, 'message_end_is_final: a terminal status stays');
END;
