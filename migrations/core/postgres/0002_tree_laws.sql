-- The laws of the tree, as PostgreSQL states them.

ALTER TABLE session ADD CONSTRAINT session_head_belongs
    FOREIGN KEY (id, head_id) REFERENCES message (session_id, id);

CREATE FUNCTION message_laws() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.session_id, NEW.depth, NEW.jump_depth) IS DISTINCT FROM (OLD.session_id, OLD.depth, OLD.jump_depth)
        OR NEW.parent_id IS DISTINCT FROM OLD.parent_id
        OR NEW.jump_id IS DISTINCT FROM OLD.jump_id THEN
        RAISE EXCEPTION 'message_place_is_final: a message never moves';
    END IF;
    IF OLD.status NOT IN ('PENDING', 'WRITING') AND NEW.status <> OLD.status THEN
        RAISE EXCEPTION 'message_end_is_final: a terminal status stays';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER message_laws BEFORE UPDATE ON message FOR EACH ROW EXECUTE FUNCTION message_laws();
