-- What keeps long and bushy stories as quick as short ones. Each message below which the player
-- has been leads to the leaf visited last there, and the messages that lead to one leaf follow one
-- another: so one row for each leaf tells where that stretch begins, and no list of leaves is searched.

-- The topmost message that leads to this leaf. None in a row of an older version: it leads nowhere.
-- Without a foreign key, which would search this table for every message that is erased; the row
-- goes with its leaf or its session.
ALTER TABLE branch_tip ADD COLUMN top_id UUID;

-- From every leaf up: who leads where, and the topmost of them.
WITH RECURSIVE up (leaf_id, rank, visited_at, id, parent_id, depth) AS (
    SELECT t.leaf_id, CASE WHEN t.leaf_id = s.head_id THEN 0 ELSE 1 END, t.visited_at,
        m.id, m.parent_id, m.depth
    FROM branch_tip t
    JOIN session s ON s.id = t.session_id
    JOIN message m ON m.id = t.leaf_id
    WHERE m.deleted_at IS NULL
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

-- Serves "where does this message lead": one step for each fork at which the player went elsewhere.
CREATE UNIQUE INDEX branch_tip_by_top ON branch_tip (session_id, top_id);

-- Serves the roots of a session, which are few among its messages.
CREATE INDEX message_root ON message (session_id, created_at, id) WHERE parent_id IS NULL;

-- Serves what one deletion took: to stop what is written there, and to undo it.
CREATE INDEX message_by_deletion ON message (deletion_id, depth) WHERE deletion_id IS NOT NULL;
