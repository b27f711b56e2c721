-- Standings: how players stand in the periods of boards. All of a player's are written under the lock of the player's total, so
-- that they change in the order of its versions, and no two writers of one player ever meet in them.

-- The day of a moment in the zone of a period's board.
CREATE FUNCTION period_day(p_period bigint, p_at timestamptz) RETURNS date LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT (p_at AT TIME ZONE b.zone)::date FROM board_periods p JOIN boards b ON b.id = p.board_id WHERE p.id = p_period);
END
$$;

-- Whether a new entry changes what its player has there: one that is not the best, or a second one of a day, does not.
CREATE FUNCTION standing_gains(s standings, p_points bigint, p_at timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT CASE s.joins
                WHEN 2 THEN NOT s.shown OR p_points > s.points
                WHEN 4 THEN NOT s.shown OR period_day(s.period_id, s.reached_at) < period_day(s.period_id, p_at)
                ELSE true
           END
$$;

-- Whether a player has joined a board.
CREATE FUNCTION board_entered(p_board bigint, p_user uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM board_entrants n WHERE n.board_id = p_board AND n.user_id = p_user);
END
$$;

-- Enters new entries, at most one of each player, into every open period they belong to; all of them name the same boards, or none.
-- Looked up key by key from the entries on, in this order (OFFSET 0 keeps the planner from another): what it costs depends on the
-- boards they belong to, not on how many there are. Where attempts are counted each entry uses one up, whether it gains or not, and
-- none is left for those after them.
CREATE FUNCTION standings_enter(
    p_user uuid[], p_source text[], p_action_type text[], p_delta bigint[], p_at timestamptz, p_boards bigint[], p_value bigint[],
    p_metadata jsonb[]
) RETURNS SETOF standings LANGUAGE plpgsql ROWS 10 AS $$
BEGIN
    RETURN QUERY
    INSERT INTO standings AS s (period_id, user_id, points, reached_at, shown, joins, attempts_left, metadata)
    SELECT p.id, e.user_id, CASE b.joins WHEN 4 THEN b.sign ELSE coalesce(e.value, e.delta) * b.sign END, p_at,
           b.joins > 1 OR e.delta > 0, b.joins, b.attempts - 1, CASE WHEN b.joins IN (2, 3) THEN e.metadata END
      FROM unnest(p_user, p_source, p_action_type, p_delta, p_value, p_metadata)
           AS e(user_id, source, action_type, delta, value, metadata)
     CROSS JOIN LATERAL (SELECT u FROM users u WHERE u.id = e.user_id OFFSET 0) u
     CROSS JOIN LATERAL player_groups(u.u) g
     CROSS JOIN LATERAL (SELECT c.board_id FROM board_scopes c
                          WHERE c.who = g.who AND c.action_type = ANY (ARRAY['', e.action_type]) OFFSET 0) c
     CROSS JOIN LATERAL (SELECT b.id, board_sign(b) AS sign, board_joins(b) AS joins, b.attempts FROM boards b
                          WHERE b.id = c.board_id AND board_counts(b, e.source, e.action_type, p_boards, e.value IS NOT NULL)
                            AND CASE b.entry WHEN 'open' THEN true ELSE board_entered(b.id, e.user_id) END
                         OFFSET 0) b
     CROSS JOIN LATERAL (SELECT p.id FROM board_periods p
                          WHERE p.board_id = b.id AND p.part = g.part AND p.closed_at IS NULL
                            AND coalesce(p.starts_at, '-infinity') <= p_at AND coalesce(p.ends_at, 'infinity') > p_at
                            AND coalesce(p.counts_until, 'infinity') >= p_at
                         OFFSET 0) p
        ON CONFLICT (period_id, user_id) DO UPDATE
       SET points = CASE WHEN s.attempts_left IS NOT NULL AND NOT standing_gains(s, excluded.points, p_at) THEN s.points
                         WHEN s.joins IN (2, 3) THEN excluded.points ELSE s.points + excluded.points END,
           -- A clock that was set back takes nothing from a sum, as in the history.
           reached_at = CASE WHEN s.attempts_left IS NOT NULL AND NOT standing_gains(s, excluded.points, p_at) THEN s.reached_at
                             WHEN s.joins IN (1, -1) THEN greatest(s.reached_at, p_at) ELSE p_at END,
           shown = s.joins > 1 OR s.joins * (s.points + excluded.points) > 0,
           attempts_left = s.attempts_left - 1,
           metadata = CASE WHEN s.attempts_left IS NOT NULL AND NOT standing_gains(s, excluded.points, p_at) THEN s.metadata
                           ELSE excluded.metadata END
     WHERE CASE WHEN s.attempts_left IS NULL THEN standing_gains(s, excluded.points, p_at) ELSE s.attempts_left > 0 END
    RETURNING s.*;
END
$$;

-- How a player stands beside the total, as JSON: [[period, points, microseconds since 1970, shown], ...], each with the text of its
-- metadata if it has any.
CREATE FUNCTION standing_place(s standings) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN s.metadata IS NULL
                THEN json_build_array(s.period_id, s.points, (extract(epoch FROM s.reached_at) * 1000000)::bigint, s.shown)
                ELSE json_build_array(s.period_id, s.points, (extract(epoch FROM s.reached_at) * 1000000)::bigint, s.shown,
                                      s.metadata::text)
           END
$$;

CREATE FUNCTION standing_places(p_user uuid) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_agg(standing_place(s)) FROM standings s WHERE s.user_id = p_user
$$;
