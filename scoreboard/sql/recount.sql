-- Making standings what the history says (counting.sql): filling, correcting and repairing them, and having players join.

-- Makes standings what was counted. Returns those that were not.
CREATE FUNCTION standings_put(p_counted standings[]) RETURNS SETOF standings LANGUAGE sql AS $$
    INSERT INTO standings AS s (period_id, user_id, points, reached_at, shown, joins, attempts_left, metadata)
    SELECT c.* FROM unnest(p_counted) c
        ON CONFLICT (period_id, user_id) DO UPDATE
       SET points = excluded.points, reached_at = excluded.reached_at, shown = excluded.shown,
           attempts_left = excluded.attempts_left, metadata = excluded.metadata
     WHERE (s.points, s.reached_at, s.shown, s.attempts_left, s.metadata)
           IS DISTINCT FROM (excluded.points, excluded.reached_at, excluded.shown, excluded.attempts_left, excluded.metadata)
    RETURNING s.*
$$;

-- Makes the standings of these players in a period what the history says. Returns those that were not. The caller holds the
-- players' totals: nothing is entered meanwhile. The period is neither closed nor dropped before the caller commits, so that it
-- leaves no standing behind, and never meets who closes it in another order of players.
CREATE FUNCTION standings_recount(p_period bigint, p_user uuid[]) RETURNS SETOF standings LANGUAGE plpgsql AS $$
DECLARE
    v_period board_periods;
    v_board boards;
    v_counted standings[];
BEGIN
    SELECT * INTO v_period FROM board_periods p WHERE p.id = p_period AND p.closed_at IS NULL FOR SHARE;
    SELECT * INTO v_board FROM boards b WHERE b.id = v_period.board_id;
    IF v_board.id IS NULL THEN
        RETURN;
    END IF;
    v_counted := ARRAY(SELECT c FROM standings_of_history(v_period, v_board, p_user) c);
    RETURN QUERY
    UPDATE standings s SET points = 0, shown = false, attempts_left = v_board.attempts, metadata = NULL
     WHERE s.period_id = p_period AND s.user_id = ANY (p_user)
       AND (s.points, s.shown, s.attempts_left) IS DISTINCT FROM (0, false, v_board.attempts)
       AND s.user_id <> ALL (ARRAY(SELECT c.user_id FROM unnest(v_counted) c))
    RETURNING s.*;
    RETURN QUERY SELECT * FROM standings_put(v_counted);
END
$$;

-- Those whose standing in a period is not what the history says, both in one snapshot, so that no lock is needed to see it.
CREATE FUNCTION standings_wrong(p_period bigint) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
    SELECT coalesce(c.user_id, s.user_id)
      FROM (SELECT h.*, b.attempts FROM board_periods p JOIN boards b ON b.id = p.board_id
             CROSS JOIN LATERAL standings_of_history(p, b, NULL) h
             WHERE p.id = p_period AND p.closed_at IS NULL) c
      FULL JOIN (SELECT t.*, b.attempts FROM standings t JOIN board_periods p ON p.id = t.period_id
                   JOIN boards b ON b.id = p.board_id WHERE t.period_id = p_period AND p.closed_at IS NULL) s
           ON s.user_id = c.user_id
     WHERE (coalesce(c.points, 0), coalesce(c.shown, false), CASE WHEN c.shown THEN c.reached_at END,
            coalesce(c.attempts_left, s.attempts), c.metadata)
           IS DISTINCT FROM (coalesce(s.points, 0), coalesce(s.shown, false), CASE WHEN s.shown THEN s.reached_at END,
                             coalesce(s.attempts_left, c.attempts), s.metadata)
$$;

-- Makes them right, and tells by the players' versions. Returns those that were not.
CREATE FUNCTION standings_mend(p_period bigint, p_user uuid[]) RETURNS SETOF uuid LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM user_scores s WHERE s.user_id = ANY (p_user) ORDER BY s.user_id FOR NO KEY UPDATE;
    p_user := ARRAY(SELECT r.user_id FROM standings_recount(p_period, p_user) r);
    UPDATE user_scores s SET version = s.version + 1, changed_xid = pg_current_xact_id()::text::bigint
     WHERE s.user_id = ANY (p_user);
    RETURN QUERY SELECT unnest(p_user);
END
$$;

-- Has a player join a board, or leave it, with everything that its open periods hold; what is closed stays. Returns whether that
-- changed anything; NULL if the board is gone. The lock of the board keeps its rule, and itself, until the caller commits, and is
-- taken before that of the total: who changes a rule waits for those who hold one.
CREATE FUNCTION board_entry(p_board bigint, p_user uuid, p_joins boolean) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM boards b WHERE b.id = p_board FOR SHARE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    PERFORM FROM user_scores s WHERE s.user_id = p_user FOR NO KEY UPDATE;
    IF p_joins THEN
        INSERT INTO board_entrants (board_id, user_id) VALUES (p_board, p_user) ON CONFLICT DO NOTHING;
    ELSE
        DELETE FROM board_entrants n WHERE n.board_id = p_board AND n.user_id = p_user;
    END IF;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM standings_recount(p.id, ARRAY[p_user])
       FROM (SELECT p.id FROM board_periods p WHERE p.board_id = p_board AND p.closed_at IS NULL ORDER BY p.id) p;
    UPDATE user_scores s SET version = s.version + 1, changed_xid = pg_current_xact_id()::text::bigint WHERE s.user_id = p_user;
    RETURN true;
END
$$;

-- Fills a period with what was counted of some players when their totals had these versions. Who has another by
-- now is counted anew.
CREATE FUNCTION standings_fill(p_period bigint, p_counted standings[], p_version bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_same standings[];
    v_other uuid[];
BEGIN
    PERFORM FROM user_scores s WHERE s.user_id = ANY (ARRAY(SELECT c.user_id FROM unnest(p_counted) c))
      ORDER BY s.user_id FOR NO KEY UPDATE;
    PERFORM FROM board_periods p WHERE p.id = p_period AND p.closed_at IS NULL FOR SHARE;
    IF FOUND THEN
        SELECT coalesce(array_agg(p_counted[v.ord]) FILTER (WHERE s.version = v.version), '{}'),
               coalesce(array_agg(s.user_id) FILTER (WHERE s.version <> v.version), '{}')
          INTO v_same, v_other
          FROM unnest(p_version) WITH ORDINALITY AS v(version, ord)
          JOIN user_scores s ON s.user_id = p_counted[v.ord].user_id;
        PERFORM standings_put(v_same);
        PERFORM standings_recount(p_period, v_other);
    END IF;
END
$$;
