-- Sessions made out of messages from elsewhere: forks of sessions, and files.

-- Where a fork comes from; none if it is no fork, or if that is gone for good.
ALTER TABLE session ADD COLUMN forked_from_id UUID REFERENCES session (id) ON DELETE SET NULL;
-- The message it was forked at. No reference: the session above has one, and they go together.
ALTER TABLE session ADD COLUMN forked_at_id UUID;
-- Serves the end of the link above when a session is erased.
CREATE INDEX session_by_fork ON session (forked_from_id) WHERE forked_from_id IS NOT NULL;

-- Sessions that are being made: nobody takes part in them yet, so nobody sees them.
-- The row goes when the session is whole, or with what there is of it.
CREATE TABLE session_graft (
    session_id   UUID   NOT NULL PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE,
    user_id      UUID   NOT NULL,                  -- who asked for it
    request_id   TEXT   NOT NULL,                  -- of client_request: free again if it comes to nothing
    leased_by    UUID   NOT NULL,                  -- process that makes it
    leased_until BIGINT NOT NULL                   -- milliseconds since 1970 on the database's clock
);

-- These serve the removal of messages: without them each one would look for those that name it
-- in the whole table.
CREATE INDEX message_by_jump ON message (session_id, jump_id);
CREATE INDEX message_by_edited_from ON message (edited_from_id) WHERE edited_from_id IS NOT NULL;
CREATE INDEX branch_tip_by_leaf ON branch_tip (leaf_id);
