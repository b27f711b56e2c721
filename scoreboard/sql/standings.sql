-- Standings: how players stand in the periods of boards. All of a player's are written under the lock of the player's total, so
-- that they change in the order of its versions, and no two writers of one player ever meet in them.

-- Points are kept so that the higher always ranks first.
CREATE FUNCTION board_sign(b boards) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE b."order" WHEN 'low' THEN -1 ELSE 1 END
$$;

-- How a new entry joins what a player has on a board: added to it, from the first sign on (1, or -1 where low wins), instead of
-- it if it is better (2), always (3), or as one more day (4).
CREATE FUNCTION board_joins(b boards) RETURNS smallint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE b.value WHEN 'sum' THEN board_sign(b) WHEN 'best' THEN 2 WHEN 'latest' THEN 3 ELSE 4 END::smallint
$$;

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

-- Of these players, or of all for NULL, the history's entries that count in a period: `points` as they rank, `remaining` of them
-- what corrections have not taken back. An entry belongs to a period by its own time and by what its player was at that
-- time; a correction by those of the entry it takes back. Where players join a board, of those who have by now.
-- Inlined into the statement around it, whose plan is to be made for its players: by an index for some, one pass for all.
CREATE FUNCTION period_entries(p_period board_periods, p_board boards, p_user uuid[])
RETURNS TABLE (user_id uuid, id bigint, created_at timestamptz, points bigint, remaining bigint, reversed_at timestamptz,
               metadata jsonb)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT h.user_id, h.id, h.created_at, coalesce(h.value, h.delta) * board_sign(p_board),
           (h.delta + coalesce(r.delta, 0)) * board_sign(p_board), r.at, h.metadata
      FROM score_history h
      LEFT JOIN (SELECT r.user_id, r.reverses, sum(r.delta)::bigint AS delta, max(r.created_at) AS at
                   FROM score_history r WHERE (p_user IS NULL OR r.user_id = ANY (p_user)) AND r.reverses IS NOT NULL
                  GROUP BY r.user_id, r.reverses) r ON r.user_id = h.user_id AND r.reverses = h.id
     WHERE (p_user IS NULL OR h.user_id = ANY (p_user)) AND h.reverses IS NULL
       AND h.created_at >= coalesce(p_period.starts_at, '-infinity') AND h.created_at < coalesce(p_period.ends_at, 'infinity')
       AND h.created_at <= coalesce(p_period.counts_until, 'infinity')
       AND board_counts(p_board, h.source, h.action_type, h.boards, h.value IS NOT NULL)
       AND (p_board.entry <> 'join' OR EXISTS (SELECT FROM board_entrants n WHERE n.board_id = p_board.id AND n.user_id = h.user_id))
       AND (p_board.attribute = ''
            OR (SELECT CASE WHEN p_board.attribute_value = '*' THEN lower(a.value) = p_period.part
                            ELSE a.value = p_board.attribute_value END
                  FROM attribute_history a
                 WHERE a.user_id = h.user_id AND a.name = p_board.attribute AND a.version < h.version
                 ORDER BY a.version DESC LIMIT 1))
$$;

-- Whether of an entry, less the corrections made of it, anything is left that counts: of a sum what remains of its points, of all
-- else the entry as a whole.
CREATE FUNCTION entry_stands(b boards, p_remaining bigint, p_reversed_at timestamptz) RETURNS boolean LANGUAGE sql IMMUTABLE
    PARALLEL SAFE AS $$
    SELECT p_reversed_at IS NULL OR (b.value = 'sum' AND p_remaining <> 0)
$$;

-- Of the entries that belong to a period those that count: all, or where attempts are counted the first of each player, until as
-- many stand; and how many attempts are left. One that is taken back makes room for the next. In the order in which they were
-- recorded, whatever the clock said.
CREATE FUNCTION period_counted(p_period board_periods, p_board boards, p_user uuid[])
RETURNS TABLE (user_id uuid, id bigint, created_at timestamptz, points bigint, remaining bigint, reversed_at timestamptz,
               metadata jsonb, attempts_left smallint)
LANGUAGE sql STABLE AS $$
    SELECT e.*, NULL::smallint FROM period_entries(p_period, p_board, p_user) e WHERE p_board.attempts IS NULL
     UNION ALL
    SELECT e.user_id, e.id, e.created_at, e.points, e.remaining, e.reversed_at, e.metadata,
           greatest(p_board.attempts - e.used, 0)::smallint
      FROM (SELECT e.*,
                   count(*) FILTER (WHERE entry_stands(p_board, e.remaining, e.reversed_at))
                       OVER (PARTITION BY e.user_id ORDER BY e.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before,
                   count(*) FILTER (WHERE entry_stands(p_board, e.remaining, e.reversed_at))
                       OVER (PARTITION BY e.user_id) AS used
              FROM period_entries(p_period, p_board, p_user) e WHERE p_board.attempts IS NOT NULL) e
     WHERE e.before < p_board.attempts
$$;

-- How these players, or all for NULL, stand in a period, by the history alone: what `standings_enter` has come to, and the judge
-- of it. Nobody without an entry is among them.
-- Planned anew each time: a plan for any players and times looked at every row of every page that one of them has an entry on.
CREATE FUNCTION standings_of_history(p_period board_periods, p_board boards, p_user uuid[]) RETURNS SETOF standings
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan SET work_mem = '64MB' AS $$
BEGIN
    CASE p_board.value
    WHEN 'sum' THEN
        RETURN QUERY
        SELECT p_period.id, e.user_id, sum(e.remaining)::bigint, max(greatest(e.created_at, e.reversed_at)),
               sum(e.remaining) * board_sign(p_board) > 0, board_joins(p_board), min(e.attempts_left), NULL::jsonb
          FROM period_counted(p_period, p_board, p_user) e GROUP BY e.user_id;
    WHEN 'best' THEN
        RETURN QUERY
        SELECT DISTINCT ON (e.user_id) p_period.id, e.user_id, CASE WHEN e.reversed_at IS NULL THEN e.points ELSE 0 END,
               coalesce(e.reversed_at, e.created_at), e.reversed_at IS NULL, board_joins(p_board), e.attempts_left,
               CASE WHEN e.reversed_at IS NULL THEN e.metadata END
          FROM period_counted(p_period, p_board, p_user) e
         ORDER BY e.user_id, e.reversed_at DESC NULLS FIRST, e.points DESC, e.id;
    WHEN 'latest' THEN
        RETURN QUERY
        SELECT DISTINCT ON (e.user_id) p_period.id, e.user_id, CASE WHEN e.reversed_at IS NULL THEN e.points ELSE 0 END,
               coalesce(e.reversed_at, e.created_at), e.reversed_at IS NULL, board_joins(p_board), e.attempts_left,
               CASE WHEN e.reversed_at IS NULL THEN e.metadata END
          FROM period_counted(p_period, p_board, p_user) e
         ORDER BY e.user_id, e.reversed_at DESC NULLS FIRST, e.id DESC;
    ELSE
        RETURN QUERY
        SELECT p_period.id, d.user_id, count(d.first)::bigint * board_sign(p_board), coalesce(max(d.first), max(d.reversed)),
               count(d.first) > 0, board_joins(p_board), min(d.attempts_left), NULL::jsonb
          FROM (SELECT e.user_id, min(e.created_at) FILTER (WHERE e.reversed_at IS NULL) AS first, max(e.reversed_at) AS reversed,
                       min(e.attempts_left) AS attempts_left
                  FROM period_counted(p_period, p_board, p_user) e
                 GROUP BY e.user_id, (e.created_at AT TIME ZONE p_board.zone)::date) d
         GROUP BY d.user_id;
    END CASE;
END
$$;

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

-- Keeps how a period came out by this rule, for ever, and lets go of its standings. The caller has waited for every transaction
-- that may hold an entry of it. Returns how many players were ranked; NULL if it was closed before.
CREATE FUNCTION period_close(p_period bigint, p_board boards) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_period board_periods;
    v_ranked bigint;
BEGIN
    UPDATE board_periods p SET closed_at = clock_timestamp()
     WHERE p.id = p_period AND p.closed_at IS NULL AND p.filled_at IS NOT NULL RETURNING p.* INTO v_period;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO final_standings (period_id, place, rank, user_id, points, reached_at, metadata)
    SELECT p_period, r.place,
           CASE p_board.ties WHEN 'shared' THEN r.shared WHEN 'dense' THEN r.dense ELSE r.place END,
           r.user_id, r.points * board_sign(p_board), r.reached_at, r.metadata
      FROM (SELECT s.*, rank() OVER (ORDER BY s.points DESC) AS shared, dense_rank() OVER (ORDER BY s.points DESC) AS dense,
                   row_number() OVER (ORDER BY s.points DESC,
                                               CASE WHEN p_board.ties <> 'latest' THEN s.reached_at END,
                                               CASE WHEN p_board.ties = 'latest' THEN s.reached_at END DESC,
                                               s.user_id DESC) AS place
              FROM standings s JOIN users u ON u.id = s.user_id
             WHERE s.period_id = p_period AND s.shown AND player_visible(u)) r;
    GET DIAGNOSTICS v_ranked = ROW_COUNT;
    IF p_board.close <> '[]' THEN
        PERFORM period_gives(v_period, p_board, v_ranked);
    END IF;
    DELETE FROM standings s WHERE s.period_id = p_period;
    RETURN v_ranked;
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
