-- Personas and characters that were copied for a session that is being made: if it comes to
-- nothing, by a crash too, they go with it. The row goes when the session is whole.
CREATE TABLE session_graft_person (
    person_id  UUID NOT NULL PRIMARY KEY,          -- of a persona or a character; no reference: a player may remove it meanwhile
    session_id UUID NOT NULL REFERENCES session_graft (session_id) ON DELETE CASCADE
);
-- Serves the removal with half a session, and that of the row above.
CREATE INDEX session_graft_person_by_session ON session_graft_person (session_id);
