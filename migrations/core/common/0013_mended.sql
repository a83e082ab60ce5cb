-- What keeps erasures quick, forks and imports returning to where the player was, and replies
-- from being given up too soon.

-- These serve the removal of messages and sessions: without them each row that goes would look for
-- those that name it in the whole table.
CREATE INDEX message_by_continued_from ON message (continued_from_id)
    WHERE continued_from_id IS NOT NULL;
CREATE INDEX reply_by_session ON reply (session_id);

-- Serves "who is this?" for each name in a file that is brought in.
CREATE INDEX character_by_name ON character (name);

-- How often a reply was begun again because the process that wrote it was gone, since somebody
-- asked for it: one that fails with every process is given up.
ALTER TABLE reply ADD COLUMN taken_up BIGINT NOT NULL DEFAULT 0;

-- Forks and imports stored the leaves that were visited without the message from which on all lead
-- there (0012). In sessions that have such leaves it is found anew, from every living leaf up.
UPDATE branch_tip SET top_id = NULL
WHERE session_id IN (SELECT session_id FROM branch_tip WHERE top_id IS NULL)
    AND leaf_id IN (SELECT id FROM message WHERE deleted_at IS NULL);

WITH RECURSIVE up (leaf_id, rank, visited_at, id, parent_id, depth) AS (
    SELECT t.leaf_id, CASE WHEN t.leaf_id = s.head_id THEN 0 ELSE 1 END, t.visited_at,
        m.id, m.parent_id, m.depth
    FROM branch_tip t
    JOIN session s ON s.id = t.session_id
    JOIN message m ON m.id = t.leaf_id
    WHERE t.top_id IS NULL AND m.deleted_at IS NULL
    UNION ALL
    SELECT up.leaf_id, up.rank, up.visited_at, m.id, m.parent_id, m.depth
    FROM up JOIN message m ON m.id = up.parent_id
),
leads AS (
    SELECT leaf_id, id, depth,
        row_number() OVER (PARTITION BY id ORDER BY rank, visited_at DESC, leaf_id DESC) AS place
    FROM up
),
top AS (
    SELECT leaf_id, id, row_number() OVER (PARTITION BY leaf_id ORDER BY depth) AS place
    FROM leads
    WHERE place = 1
)
UPDATE branch_tip SET top_id = top.id FROM top
WHERE top.leaf_id = branch_tip.leaf_id AND top.place = 1;

DELETE FROM branch_tip WHERE top_id IS NULL;
