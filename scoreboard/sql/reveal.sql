-- Revealing what a frozen board has held back.

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
      FROM (SELECT e.created_at FROM board_entries(v_board, v_period.part, v_from, v_last, NULL) e
             ORDER BY e.created_at, e.id LIMIT p_changes) e;
    IF v_next IS NULL THEN
        RETURN NULL;
    END IF;
    v_users := ARRAY(SELECT DISTINCT e.user_id FROM board_entries(v_board, v_period.part, v_from, v_next, NULL) e);
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
    PERFORM FROM board_periods p WHERE p.id IN (p_period, p_truth) ORDER BY p.id FOR SHARE;
    PERFORM standings_recount(p_period, v_users), standings_recount(p_truth, v_users);
    UPDATE user_scores s SET version = s.version + 1, changed_xid = pg_current_xact_id()::text::bigint
     WHERE s.user_id = ANY (v_users);
    RETURN v_users;
END
$$;
