-- How a player wants a story written, and which models stand behind it. All of
-- it is optional, so that sessions from before this migration stay as they are.

-- How long replies are; as long as what the player writes if absent.
ALTER TABLE session ADD COLUMN reply_length TEXT
    CHECK (reply_length IN ('SHORT', 'MEDIUM', 'LONG'));
-- The tense the story is told in; the one it is told in so far if absent.
ALTER TABLE session ADD COLUMN narrative_tense TEXT
    CHECK (narrative_tense IN ('PAST', 'PRESENT'));
-- The mood to keep, in the player's words.
ALTER TABLE session ADD COLUMN atmosphere TEXT;
-- What the player asks of every reply.
ALTER TABLE session ADD COLUMN instruction TEXT;
-- Model id that judges the story in scenario mode; the server's choice if absent.
ALTER TABLE session ADD COLUMN supervisor_model TEXT;
-- Model id that takes over when the story's model cannot write; the server's choice if absent.
ALTER TABLE session ADD COLUMN fallback_model TEXT;
