-- Search over the terms of messages, as SQLite does it: an FTS5 index.
-- The same words in the same form stand in PostgreSQL, so that both answer the same.

-- What search knows of a message: written with its final text, never while a reply streams.
CREATE TABLE message_terms (
    number     INTEGER NOT NULL PRIMARY KEY,       -- newest text first when read downwards; below 0 what was indexed afterwards
    message_id UUID    NOT NULL UNIQUE REFERENCES message (id) ON DELETE CASCADE,
    session_id UUID    NOT NULL,                   -- the message's
    version    BIGINT  NOT NULL,                   -- of the program's way to make terms
    terms      TEXT    NOT NULL,                   -- its words folded and stemmed, in order, a blank around each
    extra      TEXT    NOT NULL                    -- the session's token, and whole words that are longer than their terms
);

-- The index: which rows hold all of these words. Positions are not kept, rows of words are
-- compared in `terms`. Words end at blanks; case and accents were folded before.
CREATE VIRTUAL TABLE message_search USING fts5 (
    terms, extra,
    content = 'message_terms', content_rowid = 'number', columnsize = 0, detail = none,
    tokenize = "ascii tokenchars '_'"
);

-- The index follows its table, also when a session is erased.
CREATE TRIGGER message_terms_added AFTER INSERT ON message_terms
BEGIN
    INSERT INTO message_search (rowid, terms, extra) VALUES (NEW.number, NEW.terms, NEW.extra);
END;

CREATE TRIGGER message_terms_changed AFTER UPDATE ON message_terms
BEGIN
    INSERT INTO message_search (message_search, rowid, terms, extra)
    VALUES ('delete', OLD.number, OLD.terms, OLD.extra);
    INSERT INTO message_search (rowid, terms, extra) VALUES (NEW.number, NEW.terms, NEW.extra);
END;

CREATE TRIGGER message_terms_removed AFTER DELETE ON message_terms
BEGIN
    INSERT INTO message_search (message_search, rowid, terms, extra)
    VALUES ('delete', OLD.number, OLD.terms, OLD.extra);
END;
