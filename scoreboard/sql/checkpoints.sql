-- Checkpoints: how boards stood at some instants that are over. How one stood at any other follows from the checkpoint before it and
-- from what came between, so that it does not take the whole history to say so. All of it is a copy of the history.

-- Everyone whose standing may have changed in (p_after, p_at]: how they stand at its end, and whether they stood before it. Of NULL,
-- the board of all totals, as `standings_as_of`.
CREATE FUNCTION checkpoint_changes(b boards, p_part text, p_from timestamptz, p_after timestamptz, p_at timestamptz)
RETURNS TABLE (user_id uuid, points bigint, reached_at timestamptz, stood boolean, stands boolean) LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET jit = off AS $$
DECLARE
    v_users uuid[];
BEGIN
    IF b.id IS NULL THEN
        RETURN QUERY
        SELECT l.user_id, l.new_total, l.created_at, f.old_total > 0, l.new_total > 0
          FROM (SELECT DISTINCT ON (h.user_id) h.user_id, h.new_total, h.created_at FROM score_history h
                 WHERE h.created_at > p_after AND h.created_at <= p_at ORDER BY h.user_id, h.id DESC) l
          JOIN (SELECT DISTINCT ON (h.user_id) h.user_id, h.old_total FROM score_history h
                 WHERE h.created_at > p_after AND h.created_at <= p_at ORDER BY h.user_id, h.id) f USING (user_id);
        RETURN;
    END IF;
    -- A correction belongs where the entry does that it takes back, however old that is.
    v_users := ARRAY(SELECT e.user_id FROM entries_between(b, p_part, p_after + interval '1 microsecond', p_at) e
                      UNION
                     SELECT h.user_id FROM score_history h
                      WHERE h.reverses IS NOT NULL AND h.created_at > p_after AND h.created_at <= p_at);
    RETURN QUERY
    SELECT coalesce(s.user_id, o.user_id), s.points, s.reached_at, o.user_id IS NOT NULL, s.user_id IS NOT NULL
      FROM standings_as_of(b, p_part, p_from, p_at, v_users) s
      FULL JOIN standings_as_of(b, p_part, p_from, p_after, v_users) o ON o.user_id = s.user_id;
END
$$;

-- How a board stood at `p_at`, in the period that held it and began at `p_from`: `players` with something to show, hidden ones
-- included, and as many of the best as is known, best first. NULL if more than `p_limit` entries of the history came between.
CREATE FUNCTION checkpoint_at(b boards, p_part text, p_from timestamptz, p_at timestamptz, p_limit int) RETURNS board_checkpoints
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET jit = off AS $$
DECLARE
    -- Of equals, the higher ranks first.
    v_late CONSTANT int := CASE WHEN b.ties = 'latest' THEN 1 ELSE -1 END;
    v_base board_checkpoints;
    v_new board_checkpoints;
    v_worst int;               -- the place in `v_base` up to which everyone is known
BEGIN
    SELECT * INTO v_base FROM board_checkpoints c
     WHERE c.board_id = coalesce(b.id, 0) AND c.part = p_part AND c.at >= coalesce(p_from, '-infinity') AND c.at <= p_at
     ORDER BY c.at DESC LIMIT 1;
    IF NOT FOUND THEN
        v_base := (coalesce(b.id, 0), p_part, coalesce(p_from - interval '1 microsecond', '-infinity'), 0, 0, 0, 0,
                   '{}'::uuid[], '{}'::bigint[], '{}'::timestamptz[]);
    END IF;
    IF p_limit < (SELECT count(*) FROM (SELECT FROM score_history h WHERE h.created_at > v_base.at AND h.created_at <= p_at
                                         LIMIT p_limit + 1) h) THEN
        RETURN NULL;
    END IF;
    v_worst := CASE WHEN v_base.players > cardinality(v_base.users) THEN cardinality(v_base.users) END;

    WITH changes AS MATERIALIZED (
        SELECT * FROM checkpoint_changes(b, p_part, p_from, v_base.at, p_at)
    ), stand AS (
        SELECT s.user_id, s.points, s.reached_at FROM unnest(v_base.users, v_base.points, v_base.reached) s(user_id, points, reached_at)
         WHERE NOT EXISTS (SELECT FROM changes c WHERE c.user_id = s.user_id)
         UNION ALL
        SELECT c.user_id, c.points, c.reached_at FROM changes c WHERE c.stands
    ), known AS (
        -- Everyone who is not among these ranks behind the worst of the checkpoint, as then.
        SELECT s.* FROM stand s
         WHERE v_worst IS NULL
            OR (s.points, v_late * extract(epoch FROM s.reached_at), s.user_id)
               >= (v_base.points[v_worst], v_late * extract(epoch FROM v_base.reached[v_worst]), v_base.users[v_worst])
         ORDER BY s.points DESC, v_late * extract(epoch FROM s.reached_at) DESC, s.user_id DESC
    )
    SELECT v_base.players + c.more, c.changed, k.users, k.points, k.reached
      INTO v_new.players, v_new.changed, v_new.users, v_new.points, v_new.reached
      FROM (SELECT count(*) AS changed, coalesce(sum(c.stands::int - c.stood::int), 0) AS more FROM changes c) c,
           (SELECT coalesce(array_agg(k.user_id), '{}') AS users, coalesce(array_agg(k.points), '{}') AS points,
                   coalesce(array_agg(k.reached_at), '{}') AS reached FROM known k) k;
    v_new.board_id := v_base.board_id;
    v_new.part := p_part;
    v_new.at := p_at;
    RETURN v_new;
END
$$;

-- How many of those who are not visible now had something to show on a board at `p_at`.
CREATE FUNCTION checkpoint_unseen(b boards, p_part text, p_from timestamptz, p_at timestamptz) RETURNS bigint LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_custom_plan SET enable_seqscan = off AS $$
DECLARE
    v_users CONSTANT uuid[] := ARRAY(SELECT u.id FROM users u WHERE NOT player_visible(u));
BEGIN
    RETURN (SELECT count(*) FROM standings_as_of(b, p_part, p_from, p_at, v_users));
END
$$;

-- The same as `checkpoint_at`, counted from the whole history of the period; the best `p_best`.
CREATE FUNCTION checkpoint_counted(b boards, p_part text, p_from timestamptz, p_at timestamptz, p_best int)
RETURNS board_checkpoints LANGUAGE sql STABLE AS $$
    WITH stood AS MATERIALIZED (
        SELECT * FROM standings_as_of(b, p_part, p_from, p_at)
    ), best AS (
        SELECT * FROM stood s
         ORDER BY s.points DESC, CASE WHEN b.ties = 'latest' THEN s.reached_at END DESC, s.reached_at, s.user_id DESC LIMIT p_best
    )
    SELECT coalesce(b.id, 0), p_part, p_at, 0::bigint, 0, 0, (SELECT count(*) FROM stood)::int,
           coalesce(array_agg(s.user_id), '{}'), coalesce(array_agg(s.points), '{}'), coalesce(array_agg(s.reached_at), '{}')
      FROM best s
$$;

-- Makes the next checkpoint of a board, or of one part of it, of its best `p_best`, some `p_entries` of the history after the last;
-- not after `p_until`, before which no transaction may still enter one. False when there is none to be made.
-- Instants are found by the order of ids, which is nearly that of times; what counts is found by the times alone.
CREATE FUNCTION checkpoint_next(p_board bigint, p_part text, p_until timestamptz, p_entries int, p_best int) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_board boards;
    v_last board_checkpoints;
    v_new board_checkpoints;
    v_next record;
    v_window record;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('board_checkpoints', 0)) THEN  -- another worker is at it
        RETURN false;
    END IF;
    SELECT * INTO v_board FROM boards b WHERE b.id = p_board;
    SELECT * INTO v_last FROM board_checkpoints c WHERE c.board_id = p_board AND c.part = p_part ORDER BY c.at DESC LIMIT 1;
    SELECT max(h.created_at) AS at, max(h.id) AS id, count(*) AS entries INTO v_next
      FROM (SELECT h.id, h.created_at FROM score_history h WHERE h.id > coalesce(v_last.last_id, 0) ORDER BY h.id LIMIT p_entries) h;
    IF v_next.entries < p_entries OR v_next.at > p_until THEN
        RETURN false;
    END IF;
    IF v_next.at <= v_last.at THEN  -- a clock was set back
        UPDATE board_checkpoints c SET last_id = v_next.id WHERE c.board_id = p_board AND c.part = p_part AND c.at = v_last.at;
        RETURN true;
    END IF;
    v_window := board_window(v_board, v_next.at);
    IF p_board = 0 OR v_window.key IS NOT NULL THEN
        v_new := checkpoint_at(v_board, p_part, v_window.starts_at, v_next.at, 20 * p_entries);
        -- Of those it knew too many have fallen behind, or too much of the history has come between.
        IF v_new.at IS NULL OR cardinality(v_new.users) < least(v_new.players, p_best / 2) THEN
            v_new := checkpoint_counted(v_board, p_part, v_window.starts_at, v_next.at, p_best);
        END IF;
    END IF;
    -- A rule that is changed meanwhile takes its checkpoints along: this one is made before that, or not at all.
    PERFORM FROM boards b WHERE b.id = p_board AND board_rule(b) = board_rule(v_board) FOR SHARE;
    IF p_board <> 0 AND NOT FOUND THEN
        RETURN false;
    END IF;
    IF v_last.changed + v_new.changed < p_entries / 20 AND v_last.entries < 4 * p_entries
       AND v_last.at >= coalesce(v_window.starts_at, '-infinity') THEN
        DELETE FROM board_checkpoints c WHERE c.board_id = p_board AND c.part = p_part AND c.at = v_last.at;
        v_new.changed := v_last.changed + v_new.changed;
        v_next.entries := v_last.entries + v_next.entries;
    END IF;
    INSERT INTO board_checkpoints (board_id, part, at, last_id, entries, changed, players, users, points, reached)
    VALUES (p_board, p_part, v_next.at, v_next.id, v_next.entries, coalesce(v_new.changed, 0), coalesce(v_new.players, 0),
            coalesce(v_new.users[:p_best], '{}'), coalesce(v_new.points[:p_best], '{}'), coalesce(v_new.reached[:p_best], '{}'))
        ON CONFLICT DO NOTHING;
    RETURN true;
END
$$;
