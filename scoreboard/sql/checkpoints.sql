-- Checkpoints: how boards stood at some instants that are over. How one stood at any other follows from the checkpoint before it and
-- from what came between, so that it does not take the whole history to say so. All of it is a copy of the history.

-- Everyone with entries that count after a checkpoint, up to `p_at`, without those in `p_others`: how they stand then, joined to what
-- the checkpoint says of them, or, where they are not `among` its best, to nothing. `reach`: more than they have who are not.
CREATE FUNCTION checkpoint_joined(b boards, p_part text, p_base board_checkpoints, p_at timestamptz, p_others uuid[])
RETURNS TABLE (user_id uuid, among boolean, points bigint, reached_at timestamptz, reach bigint) LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_worst CONSTANT bigint := p_base.points[cardinality(p_base.points)];
BEGIN
    RETURN QUERY
    SELECT e.user_id, s.points IS NOT NULL,
           CASE b.value WHEN 'sum' THEN coalesce(s.points, 0) + sum(e.points)
                        WHEN 'best' THEN greatest(s.points, max(e.points))
                        WHEN 'latest' THEN (array_agg(e.points ORDER BY e.id DESC))[1]
                        ELSE coalesce(s.points, 0)
                             + board_sign(b) * count(DISTINCT e.day) FILTER (WHERE s.day IS NULL OR e.day > s.day)
           END::bigint,
           CASE b.value WHEN 'sum' THEN greatest(s.reached_at, max(e.created_at))
                        WHEN 'best' THEN CASE WHEN s.points >= max(e.points) THEN s.reached_at
                                              ELSE (array_agg(e.created_at ORDER BY e.points DESC, e.id))[1] END
                        WHEN 'latest' THEN (array_agg(e.created_at ORDER BY e.id DESC))[1]
                        ELSE CASE WHEN s.day >= max(e.day) THEN s.reached_at
                                  ELSE (array_agg(e.created_at ORDER BY e.day DESC, e.created_at))[1] END
           END,
           CASE b.value WHEN 'sum' THEN v_worst + sum(greatest(e.points, 0))
                        WHEN 'days' THEN v_worst + count(DISTINCT e.day)
                        ELSE max(e.points)
           END::bigint
      FROM (SELECT i.*, (i.created_at AT TIME ZONE b.zone)::date AS day
              FROM board_entries(b, p_part, p_base.at + interval '1 microsecond', p_at, NULL, p_at) i WHERE i.user_id <> ALL (p_others)) e
      LEFT JOIN (SELECT k.*, (k.reached_at AT TIME ZONE b.zone)::date AS day
                   FROM unnest(p_base.users, p_base.points, p_base.reached) k(user_id, points, reached_at)) s
           ON s.user_id = e.user_id
     GROUP BY e.user_id, s.points, s.reached_at, s.day;
END
$$;

-- Which of these players have an entry that counted at a checkpoint, and of which nothing was taken back.
CREATE FUNCTION checkpoint_stood(b boards, p_part text, p_from timestamptz, p_base board_checkpoints, p_user uuid[])
RETURNS TABLE (user_id uuid) LANGUAGE plpgsql STABLE SET enable_bitmapscan = off AS $$
BEGIN
    RETURN QUERY
    SELECT u.id FROM unnest(p_user) u(id)
     CROSS JOIN LATERAL (SELECT FROM board_entries(b, p_part, p_from, p_base.at, NULL, p_base.at) e
                          WHERE e.user_id = u.id AND e.id <= p_base.last_id
                            AND (b.value <> 'sum' OR e.points * board_sign(b) > 0)
                            AND NOT EXISTS (SELECT FROM score_history r
                                             WHERE r.user_id = e.user_id AND r.reverses = e.id AND r.created_at <= p_base.at)
                          ORDER BY e.id DESC LIMIT 1) e;
END
$$;

-- How these players stood, by all their entries: found by the index of players, however many entries there are by then.
CREATE FUNCTION checkpoint_exactly(b boards, p_part text, p_from timestamptz, p_at timestamptz, p_user uuid[])
RETURNS TABLE (user_id uuid, points bigint, reached_at timestamptz) LANGUAGE plpgsql STABLE
    SET enable_bitmapscan = off SET enable_seqscan = off AS $$
BEGIN
    RETURN QUERY SELECT * FROM standings_as_of(b, p_part, p_from, p_at, p_user);
END
$$;

-- Everyone whose standing may have changed between a checkpoint and `p_at`: how they stand then, and whether they stood before.
-- Those without points stand, but have less than `p_floor`. Of NULL, the board of all totals.
CREATE FUNCTION checkpoint_changes(
    b boards, p_part text, p_from timestamptz, p_base board_checkpoints, p_at timestamptz, p_floor bigint
) RETURNS TABLE (user_id uuid, points bigint, reached_at timestamptz, stood boolean, stands boolean) LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_whole CONSTANT boolean := p_base.players = cardinality(p_base.users);
    v_counted uuid[];          -- those who are counted by the history
BEGIN
    IF b.id IS NULL THEN
        RETURN QUERY
        SELECT l.user_id, l.new_total, l.created_at, f.old_total > 0, l.new_total > 0
          FROM (SELECT DISTINCT ON (h.user_id) h.user_id, h.new_total, h.created_at FROM score_history h
                 WHERE h.created_at > p_base.at AND h.created_at <= p_at AND h.value IS NULL ORDER BY h.user_id, h.id DESC) l
          JOIN (SELECT DISTINCT ON (h.user_id) h.user_id, h.old_total FROM score_history h
                 WHERE h.created_at > p_base.at AND h.created_at <= p_at AND h.value IS NULL ORDER BY h.user_id, h.id) f
               USING (user_id);
        RETURN;
    END IF;
    -- A correction belongs where the entry does that it takes back, however old that is; and where attempts are limited,
    -- whether an entry counts depends on what else its player has.
    v_counted := ARRAY(SELECT DISTINCT h.user_id FROM score_history h
                        WHERE h.created_at > p_base.at AND h.created_at <= p_at AND (h.reverses IS NOT NULL OR b.attempts IS NOT NULL));
    RETURN QUERY
    WITH joined AS MATERIALIZED (
        SELECT j.*,
               -- A sum that something else than a correction has lowered may have been less than nothing.
               b.value = 'sum' AND NOT j.among
               AND EXISTS (SELECT FROM score_history h WHERE h.user_id = j.user_id AND h.delta < 0 AND h.reverses IS NULL) AS lowered
          FROM checkpoint_joined(b, p_part, p_base, p_at, v_counted) j
    ), total AS MATERIALIZED (
        SELECT DISTINCT ON (h.user_id) h.user_id, h.new_total FROM score_history h
         WHERE h.created_at > p_base.at AND h.created_at <= p_at AND b.value = 'sum' AND b."order" = 'high'
         ORDER BY h.user_id, h.id DESC
    ), known AS MATERIALIZED (
        SELECT * FROM checkpoint_stood(b, p_part, p_from, p_base,
                                       ARRAY(SELECT j.user_id FROM joined j WHERE NOT (j.among OR j.lowered OR v_whole)))
    ), judged AS MATERIALIZED (
        SELECT j.*, k.user_id IS NOT NULL AS stood,
               j.lowered
               -- No part of what only corrections have lowered is more than the whole.
               OR k.user_id IS NOT NULL AND coalesce(least(j.reach, t.new_total) >= p_floor, true)
               -- It may have been taken back in part.
               OR b.value = 'sum' AND k.user_id IS NULL AND NOT (j.among OR v_whole)
                  AND EXISTS (SELECT FROM score_history r WHERE r.user_id = j.user_id AND r.reverses IS NOT NULL) AS doubted
          FROM joined j LEFT JOIN known k ON k.user_id = j.user_id LEFT JOIN total t ON t.user_id = j.user_id
    ), doubted AS MATERIALIZED (
        SELECT v_counted || ARRAY(SELECT j.user_id FROM judged j WHERE j.doubted) AS users
    )
    SELECT j.user_id, CASE WHEN NOT j.stood THEN j.points END, j.reached_at, j.among OR j.stood,
           j.stood OR b.value <> 'sum' OR j.points * board_sign(b) > 0
      FROM judged j WHERE NOT j.doubted
     UNION ALL
    SELECT coalesce(s.user_id, o.user_id), s.points, s.reached_at, o.user_id IS NOT NULL, s.user_id IS NOT NULL
      FROM doubted d
     CROSS JOIN LATERAL checkpoint_exactly(b, p_part, p_from, p_at, d.users) s
      FULL JOIN (SELECT o.* FROM doubted d CROSS JOIN LATERAL checkpoint_exactly(b, p_part, p_from, p_base.at, d.users) o) o
           ON o.user_id = s.user_id;
END
$$;

-- How a board stood at `p_at`, in the period that held it and began at `p_from`: `players` with something to show, hidden ones
-- included, and as many of the best as is known, best first; of `p_need`, where it is given, no more than so many visible ones take.
-- NULL if more than `p_limit` entries of the history came after the checkpoint before it.
CREATE FUNCTION checkpoint_at(b boards, p_part text, p_from timestamptz, p_at timestamptz, p_limit int, p_need int)
RETURNS board_checkpoints LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET jit = off AS $$
DECLARE
    -- Of equals, the higher ranks first.
    v_late CONSTANT int := CASE WHEN b.ties = 'latest' THEN 1 ELSE -1 END;
    v_base board_checkpoints;
    v_new board_checkpoints;
    v_between uuid[];          -- whose entries came between, one by one
    v_worst int;               -- the place in `v_base` up to which everyone is to be known
BEGIN
    SELECT * INTO v_base FROM board_checkpoints c
     WHERE c.board_id = coalesce(b.id, 0) AND c.part = p_part AND c.at >= coalesce(p_from, '-infinity') AND c.at <= p_at
     ORDER BY c.at DESC LIMIT 1;
    IF NOT FOUND THEN
        v_base := (coalesce(b.id, 0), p_part, coalesce(p_from - interval '1 microsecond', '-infinity'), 0, 0, 0, 0,
                   '{}'::uuid[], '{}'::bigint[], '{}'::timestamptz[]);
    END IF;
    v_between := ARRAY(SELECT h.user_id FROM score_history h WHERE h.created_at > v_base.at AND h.created_at <= p_at
                        LIMIT p_limit + 1);
    IF cardinality(v_between) > p_limit THEN
        RETURN NULL;
    END IF;
    IF p_need IS NOT NULL THEN
        SELECT s.place INTO v_worst FROM unnest(v_base.users) WITH ORDINALITY s(user_id, place)
         WHERE s.user_id <> ALL (v_between) AND EXISTS (SELECT FROM users u WHERE u.id = s.user_id AND player_visible(u))
         ORDER BY s.place LIMIT 1 OFFSET p_need - 1;
    END IF;
    IF v_worst IS NULL AND v_base.players > cardinality(v_base.users) THEN
        v_worst := cardinality(v_base.users);
    END IF;

    WITH changes AS MATERIALIZED (
        SELECT * FROM checkpoint_changes(b, p_part, p_from, v_base, p_at, v_base.points[v_worst])
    ), stand AS (
        SELECT s.* FROM unnest(v_base.users, v_base.points, v_base.reached) s(user_id, points, reached_at)
         WHERE NOT EXISTS (SELECT FROM changes c WHERE c.user_id = s.user_id)
         UNION ALL
        SELECT c.user_id, c.points, c.reached_at FROM changes c WHERE c.stands AND c.points IS NOT NULL
    ), known AS (
        -- Everyone who is not among these ranks behind that place, as in the checkpoint.
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

-- How many of those who are not visible now had something to show on a board at `p_at`. Of most of them nothing was ever taken: they
-- had if they had an entry that counts, which is one of their first.
CREATE FUNCTION checkpoint_unseen(b boards, p_part text, p_from timestamptz, p_at timestamptz) RETURNS bigint LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_custom_plan SET enable_bitmapscan = off SET enable_seqscan = off SET jit = off AS $$
DECLARE
    v_unseen CONSTANT uuid[] := ARRAY(SELECT u.id FROM users u WHERE NOT player_visible(u));
    v_lowered CONSTANT uuid[] := ARRAY(
        SELECT u.id FROM unnest(v_unseen) u(id)
         WHERE EXISTS (SELECT FROM score_history h WHERE h.user_id = u.id AND h.reverses IS NOT NULL)
            OR EXISTS (SELECT FROM score_history h WHERE h.user_id = u.id AND h.delta < 0 AND h.reverses IS NULL));
    v_stood bigint;
BEGIN
    IF b.id IS NULL THEN
        SELECT count(*) INTO v_stood FROM unnest(v_unseen) u(id)
         CROSS JOIN LATERAL (SELECT FROM score_history h WHERE h.user_id = u.id AND h.created_at <= p_at AND h.value IS NULL
                              ORDER BY h.id LIMIT 1) h
         WHERE u.id <> ALL (v_lowered);
    ELSE
        SELECT count(*) INTO v_stood FROM unnest(v_unseen) u(id)
         CROSS JOIN LATERAL (SELECT FROM board_entries(b, p_part, p_from, p_at, NULL, p_at) e
                              WHERE e.user_id = u.id AND (b.value <> 'sum' OR e.points * board_sign(b) > 0)
                              ORDER BY e.id LIMIT 1) e
         WHERE u.id <> ALL (v_lowered);
    END IF;
    RETURN v_stood + (SELECT count(*) FROM checkpoint_exactly(b, p_part, p_from, p_at, v_lowered));
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

-- Whether nothing that came between two instants counts for a board: it stood at the later as at the earlier one.
CREATE FUNCTION checkpoint_holds(b boards, p_part text, p_from timestamptz, p_at timestamptz) RETURNS boolean LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_custom_plan AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM board_entries(b, p_part, p_from + interval '1 microsecond', p_at, NULL))
       AND NOT EXISTS (SELECT FROM score_history h WHERE h.created_at > p_from AND h.created_at <= p_at AND h.reverses IS NOT NULL);
END
$$;

-- Makes the next checkpoint of a board, or of one part of it, of its best `p_best`, some `p_entries` of the history after the last;
-- not after `p_until`, before which no transaction may still enter one. False when there is none to be made.
-- Instants are found by the order of ids, which is nearly that of times; what counts is found by the times alone.
CREATE FUNCTION checkpoint_next(p_board bigint, p_part text, p_until timestamptz, p_entries int, p_best int) RETURNS boolean
LANGUAGE plpgsql SET enable_seqscan = off AS $$
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
    IF v_board.entry = 'join' THEN  -- who has joined by now was on it then, too: there is nothing to keep
        RETURN false;
    END IF;
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
    IF p_board <> 0 AND v_last.entries < 4 * p_entries AND v_last.at >= coalesce(v_window.starts_at, '-infinity')
       AND checkpoint_holds(v_board, p_part, v_last.at, v_next.at) THEN
        UPDATE board_checkpoints c SET at = v_next.at, entries = c.entries + v_next.entries, last_id = greatest(c.last_id, v_next.id)
         WHERE c.board_id = p_board AND c.part = p_part AND c.at = v_last.at;
        RETURN true;
    END IF;
    IF p_board = 0 OR v_window.key IS NOT NULL THEN
        v_new := checkpoint_at(v_board, p_part, v_window.starts_at, v_next.at, 20 * p_entries, NULL);
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
    VALUES (p_board, p_part, v_next.at,
            -- OFFSET 0: by the times. By the ids it would be found from the newest on.
            (SELECT greatest(v_next.id, max(h.id))
               FROM (SELECT h.id FROM score_history h
                      WHERE h.created_at > coalesce(v_last.at, '-infinity') AND h.created_at <= v_next.at OFFSET 0) h), v_next.entries, coalesce(v_new.changed, 0), coalesce(v_new.players, 0),
            coalesce(v_new.users[:p_best], '{}'), coalesce(v_new.points[:p_best], '{}'), coalesce(v_new.reached[:p_best], '{}'))
        ON CONFLICT DO NOTHING;
    RETURN true;
END
$$;

-- Counts one checkpoint, any of them, anew. False if it is wrong: then its board, or that part of it, has none any more, and they are
-- made again.
CREATE FUNCTION checkpoint_check() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    v_board boards;
    v_one board_checkpoints;
    v_new board_checkpoints;
    v_window record;
BEGIN
    SELECT * INTO v_one FROM board_checkpoints c ORDER BY random() LIMIT 1;
    SELECT * INTO v_board FROM boards b WHERE b.id = v_one.board_id;
    v_window := board_window(v_board, v_one.at);
    IF v_one.at IS NULL OR v_window.key IS NULL THEN
        RETURN true;
    END IF;
    v_new := checkpoint_counted(v_board, v_one.part, v_window.starts_at, v_one.at, cardinality(v_one.users));
    IF (v_new.players, v_new.users, v_new.points, v_new.reached) = (v_one.players, v_one.users, v_one.points, v_one.reached) THEN
        RETURN true;
    END IF;
    DELETE FROM board_checkpoints c WHERE c.board_id = v_one.board_id AND c.part = v_one.part;
    RETURN false;
END
$$;
