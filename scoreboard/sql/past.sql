-- What boards were at a moment that is over: for reading them as of then, and for revealing what a frozen one has held back.

-- The entries that count for a board, or one part of it, from `p_from` to `p_until`, both included, of some players or of everyone
-- (NULL); `points` as they rank, `remaining` and `reversed_at` by the corrections made until then. As `period_entries`, but, of
-- everyone, one pass over the history, which the statement around it may split among processes.
CREATE FUNCTION entries_between(b boards, p_part text, p_from timestamptz, p_until timestamptz, p_user uuid[] DEFAULT NULL)
RETURNS TABLE (user_id uuid, id bigint, created_at timestamptz, points bigint, remaining bigint, reversed_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT h.user_id, h.id, h.created_at, coalesce(h.value, h.delta) * board_sign(b),
           (h.delta + coalesce(r.delta, 0)) * board_sign(b), r.at
      FROM score_history h
      LEFT JOIN (SELECT r.user_id, r.reverses, sum(r.delta)::bigint AS delta, max(r.created_at) AS at
                   FROM score_history r WHERE r.reverses IS NOT NULL AND r.created_at <= p_until
                    AND (p_user IS NULL OR r.user_id = ANY (p_user))
                  GROUP BY r.user_id, r.reverses) r ON r.user_id = h.user_id AND r.reverses = h.id
     WHERE h.reverses IS NULL AND h.created_at >= coalesce(p_from, '-infinity') AND h.created_at <= p_until
       AND (p_user IS NULL OR h.user_id = ANY (p_user))
       AND board_counts(b, h.source, h.action_type, h.boards, h.value IS NOT NULL)
       AND (b.entry = 'open' OR EXISTS (SELECT FROM board_entrants n WHERE n.board_id = b.id AND n.user_id = h.user_id))
       AND (b.attribute = ''
            OR (SELECT CASE WHEN b.attribute_value = '*' THEN lower(a.value) = p_part ELSE a.value = b.attribute_value END
                  FROM attribute_history a
                 WHERE a.user_id = h.user_id AND a.name = b.attribute AND a.version < h.version
                 ORDER BY a.version DESC LIMIT 1))
$$;

-- Those of them that count, as `period_counted` has it; from the beginning of a period on.
CREATE FUNCTION entries_counted(b boards, p_part text, p_from timestamptz, p_until timestamptz, p_user uuid[] DEFAULT NULL)
RETURNS TABLE (user_id uuid, id bigint, created_at timestamptz, points bigint, remaining bigint, reversed_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT * FROM entries_between(b, p_part, p_from, p_until, p_user) e WHERE b.attempts IS NULL
     UNION ALL
    SELECT e.user_id, e.id, e.created_at, e.points, e.remaining, e.reversed_at
      FROM (SELECT e.*, count(*) FILTER (WHERE entry_stands(b, e.remaining, e.reversed_at))
                            OVER (PARTITION BY e.user_id ORDER BY e.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
              FROM entries_between(b, p_part, p_from, p_until, p_user) e WHERE b.attempts IS NOT NULL) e
     WHERE e.before < b.attempts
$$;

-- How everyone, or each of some players, with something to show stood at a moment, on a board whose period that holds it began at
-- `p_from`; hidden players are among them. `points` as they rank. Of NULL, the board of all totals.
CREATE FUNCTION standings_as_of(b boards, p_part text, p_from timestamptz, p_at timestamptz, p_user uuid[] DEFAULT NULL)
RETURNS TABLE (user_id uuid, points bigint, reached_at timestamptz) LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_custom_plan SET work_mem = '128MB' SET jit = off AS $$
BEGIN
    CASE coalesce(b.value, 'total')
    WHEN 'total' THEN
        RETURN QUERY
        SELECT h.user_id, sum(h.delta)::bigint, max(h.created_at) FROM score_history h
         WHERE h.created_at <= p_at AND h.value IS NULL AND (p_user IS NULL OR h.user_id = ANY (p_user))
         GROUP BY h.user_id HAVING sum(h.delta) > 0;
    WHEN 'sum' THEN
        RETURN QUERY
        SELECT e.user_id, sum(e.remaining)::bigint, max(greatest(e.created_at, e.reversed_at))
          FROM entries_counted(b, p_part, p_from, p_at, p_user) e GROUP BY e.user_id HAVING sum(e.remaining) * board_sign(b) > 0;
    WHEN 'best' THEN
        RETURN QUERY
        SELECT DISTINCT ON (e.user_id) e.user_id, e.points, e.created_at
          FROM entries_counted(b, p_part, p_from, p_at, p_user) e WHERE e.reversed_at IS NULL
         ORDER BY e.user_id, e.points DESC, e.id;
    WHEN 'latest' THEN
        RETURN QUERY
        SELECT DISTINCT ON (e.user_id) e.user_id, e.points, e.created_at
          FROM entries_counted(b, p_part, p_from, p_at, p_user) e WHERE e.reversed_at IS NULL
         ORDER BY e.user_id, e.created_at DESC, e.id DESC;
    ELSE
        RETURN QUERY
        SELECT d.user_id, count(*)::bigint * board_sign(b), max(d.first)
          FROM (SELECT e.user_id, min(e.created_at) AS first
                  FROM entries_counted(b, p_part, p_from, p_at, p_user) e WHERE e.reversed_at IS NULL
                 GROUP BY e.user_id, (e.created_at AT TIME ZONE b.zone)::date) d
         GROUP BY d.user_id;
    END CASE;
END
$$;

-- Lets the next `p_changes` entries that a frozen period has held back count, in the order of their times; entries of one moment
-- come together. Only those up to `p_until`, before which no transaction may still enter one. Returns whose standings may have
-- changed, under new versions; NULL when there is no other entry.
-- The players' totals are locked before the period, as by those who make parts of boards.
CREATE FUNCTION period_reveal(p_period bigint, p_until timestamptz, p_changes int) RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE
    v_period board_periods;
    v_board boards;
    v_from timestamptz;
    v_last timestamptz;
    v_next timestamptz;
    v_users uuid[];
BEGIN
    SELECT * INTO v_period FROM board_periods p WHERE p.id = p_period AND p.counts_until IS NOT NULL;
    SELECT * INTO v_board FROM boards b WHERE b.id = v_period.board_id;
    v_from := greatest(v_period.counts_until + interval '1 microsecond', v_period.starts_at);
    v_last := least(p_until, v_period.ends_at - interval '1 microsecond');
    SELECT max(e.created_at) INTO v_next
      FROM (SELECT e.created_at FROM entries_between(v_board, v_period.part, v_from, v_last) e
             ORDER BY e.created_at, e.id LIMIT p_changes) e;
    IF v_next IS NULL THEN
        RETURN NULL;
    END IF;
    v_users := ARRAY(SELECT DISTINCT e.user_id FROM entries_between(v_board, v_period.part, v_from, v_next) e);
    PERFORM FROM user_scores s WHERE s.user_id = ANY (v_users) ORDER BY s.user_id FOR NO KEY UPDATE;
    UPDATE board_periods p SET counts_until = v_next WHERE p.id = p_period AND p.counts_until = v_period.counts_until;
    IF NOT FOUND THEN
        RETURN '{}';  -- another worker has taken this step
    END IF;
    PERFORM standings_recount(p_period, v_users);
    UPDATE user_scores s SET version = s.version + 1, changed_xid = pg_current_xact_id()::text::bigint
     WHERE s.user_id = ANY (v_users);
    RETURN v_users;
END
$$;

-- Makes a period, of which everything counts by now, like its truth: what was entered while it was frozen, and after its
-- revealing had begun. Some players at a time, who are returned, under new versions; none when the two are alike, or when one of
-- them is there no more: its board was paused, changed or deleted.
CREATE FUNCTION period_unlike(p_period bigint, p_truth bigint, p_limit int) RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE
    v_attempts CONSTANT int := (SELECT b.attempts FROM board_periods p JOIN boards b ON b.id = p.board_id WHERE p.id = p_period);
    v_users uuid[];
BEGIN
    IF (SELECT count(*) FROM board_periods p WHERE p.id IN (p_period, p_truth)) < 2 THEN
        RETURN '{}';
    END IF;
    v_users := ARRAY(
        SELECT user_id FROM (SELECT * FROM standings a WHERE a.period_id = p_period) a
          FULL JOIN (SELECT * FROM standings b WHERE b.period_id = p_truth) b USING (user_id)
         WHERE coalesce(a.shown, false) <> coalesce(b.shown, false)
            OR b.shown AND (a.points, a.reached_at, a.metadata) IS DISTINCT FROM (b.points, b.reached_at, b.metadata)
            OR coalesce(a.attempts_left, v_attempts) IS DISTINCT FROM coalesce(b.attempts_left, v_attempts)
         ORDER BY user_id LIMIT p_limit);
    PERFORM FROM user_scores s WHERE s.user_id = ANY (v_users) ORDER BY s.user_id FOR NO KEY UPDATE;
    PERFORM standings_recount(p_period, v_users), standings_recount(p_truth, v_users);
    UPDATE user_scores s SET version = s.version + 1, changed_xid = pg_current_xact_id()::text::bigint
     WHERE s.user_id = ANY (v_users);
    RETURN v_users;
END
$$;
