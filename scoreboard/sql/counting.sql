-- What counts on boards, by the history alone: the judge of what is kept in standings, and how boards stood at moments that are over.

-- Points are kept so that the higher always ranks first.
CREATE FUNCTION board_sign(b boards) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE b."order" WHEN 'low' THEN -1 ELSE 1 END
$$;

-- How a new entry joins what a player has on a board: added to it, from the first sign on (1, or -1 where low wins), instead of
-- it if it is better (2), always (3), or as one more day (4).
CREATE FUNCTION board_joins(b boards) RETURNS smallint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE b.value WHEN 'sum' THEN board_sign(b) WHEN 'best' THEN 2 WHEN 'latest' THEN 3 ELSE 4 END::smallint
$$;

-- Of these players, or of all for NULL, the history's entries that belong to a board, or to one part of it, from `p_from` to `p_until`,
-- both included. `points` as they rank, `remaining` of them what the corrections made up to `p_known` have not taken back. An entry
-- belongs by its own time and by what its player was when it was recorded; a correction by those of the entry it takes back. Where players
-- join a board, of those who have by now.
-- Inlined into the statement around it, whose plan is to be made for its players: by an index for some, one pass for all, which may be
-- split among processes.
CREATE FUNCTION board_entries(
    b boards, p_part text, p_from timestamptz, p_until timestamptz, p_user uuid[], p_known timestamptz DEFAULT 'infinity'
) RETURNS TABLE (user_id uuid, id bigint, created_at timestamptz, points bigint, remaining bigint, reversed_at timestamptz, metadata jsonb)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT h.user_id, h.id, h.created_at, coalesce(h.value, h.delta) * board_sign(b),
           (h.delta + coalesce(r.delta, 0)) * board_sign(b), r.at, h.metadata
      FROM score_history h
      LEFT JOIN (SELECT r.user_id, r.reverses, sum(r.delta)::bigint AS delta, max(r.created_at) AS at
                   FROM score_history r
                  WHERE (p_user IS NULL OR r.user_id = ANY (p_user)) AND r.reverses IS NOT NULL AND r.created_at <= p_known
                  GROUP BY r.user_id, r.reverses) r ON r.user_id = h.user_id AND r.reverses = h.id
     WHERE (p_user IS NULL OR h.user_id = ANY (p_user)) AND h.reverses IS NULL
       AND h.created_at >= coalesce(p_from, '-infinity') AND h.created_at <= coalesce(p_until, 'infinity')
       AND board_counts(b, h.source, h.action_type, h.boards, h.value IS NOT NULL)
       AND (b.entry <> 'join' OR EXISTS (SELECT FROM board_entrants n WHERE n.board_id = b.id AND n.user_id = h.user_id))
       AND (b.attribute = ''
            OR (SELECT CASE WHEN b.attribute_value = '*' THEN lower(a.value) = p_part ELSE a.value = b.attribute_value END
                  FROM attribute_history a
                 WHERE a.user_id = h.user_id AND a.name = b.attribute AND a.version < h.version
                 ORDER BY a.version DESC LIMIT 1))
$$;

-- Whether of an entry, less the corrections made of it, anything is left that counts: of a sum what remains of its points, of all
-- else the entry as a whole.
CREATE FUNCTION entry_stands(b boards, p_remaining bigint, p_reversed_at timestamptz) RETURNS boolean LANGUAGE sql IMMUTABLE
    PARALLEL SAFE AS $$
    SELECT p_reversed_at IS NULL OR (b.value = 'sum' AND p_remaining <> 0)
$$;

-- Of the entries of a whole period those that count: all, or where attempts are counted the first of each player, until as many stand;
-- and how many attempts are left. One that is taken back makes room for the next. In the order in which they were recorded, whatever
-- the clock said.
CREATE FUNCTION board_counted(b boards, p_part text, p_from timestamptz, p_until timestamptz, p_user uuid[], p_known timestamptz)
RETURNS TABLE (user_id uuid, id bigint, created_at timestamptz, points bigint, remaining bigint, reversed_at timestamptz,
               metadata jsonb, attempts_left smallint)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT e.*, NULL::smallint FROM board_entries(b, p_part, p_from, p_until, p_user, p_known) e WHERE b.attempts IS NULL
     UNION ALL
    SELECT e.user_id, e.id, e.created_at, e.points, e.remaining, e.reversed_at, e.metadata,
           greatest(b.attempts - e.used, 0)::smallint
      FROM (SELECT e.*,
                   count(*) FILTER (WHERE entry_stands(b, e.remaining, e.reversed_at))
                       OVER (PARTITION BY e.user_id ORDER BY e.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before,
                   count(*) FILTER (WHERE entry_stands(b, e.remaining, e.reversed_at)) OVER (PARTITION BY e.user_id) AS used
              FROM board_entries(b, p_part, p_from, p_until, p_user, p_known) e WHERE b.attempts IS NOT NULL) e
     WHERE e.before < b.attempts
$$;

-- How everyone with an entry stood by those entries; `shown`: with something to show. Hidden players are among them.
-- Planned anew each time: a plan for any players and times looked at every row of every page that one of them has an entry on.
CREATE FUNCTION board_stood(b boards, p_part text, p_from timestamptz, p_until timestamptz, p_user uuid[], p_known timestamptz)
RETURNS TABLE (user_id uuid, points bigint, reached_at timestamptz, shown boolean, attempts_left smallint, metadata jsonb)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan SET work_mem = '128MB' SET jit = off AS $$
BEGIN
    -- Of a board that few have joined, what they did is found by the index of players, in however long a history.
    IF b.entry = 'join' AND p_user IS NULL THEN
        p_user := ARRAY(SELECT n.user_id FROM board_entrants n WHERE n.board_id = b.id);
    END IF;
    CASE b.value
    WHEN 'sum' THEN
        RETURN QUERY
        SELECT e.user_id, sum(e.remaining)::bigint, max(greatest(e.created_at, e.reversed_at)),
               sum(e.remaining) * board_sign(b) > 0, min(e.attempts_left), NULL::jsonb
          FROM board_counted(b, p_part, p_from, p_until, p_user, p_known) e GROUP BY e.user_id;
    WHEN 'best', 'latest' THEN
        RETURN QUERY
        SELECT DISTINCT ON (e.user_id) e.user_id, CASE WHEN e.reversed_at IS NULL THEN e.points ELSE 0 END,
               coalesce(e.reversed_at, e.created_at), e.reversed_at IS NULL, e.attempts_left,
               CASE WHEN e.reversed_at IS NULL THEN e.metadata END
          FROM board_counted(b, p_part, p_from, p_until, p_user, p_known) e
         ORDER BY e.user_id, e.reversed_at DESC NULLS FIRST, CASE b.value WHEN 'best' THEN e.points END DESC,
                  CASE b.value WHEN 'best' THEN e.id ELSE -e.id END;
    ELSE
        RETURN QUERY
        SELECT d.user_id, count(d.first)::bigint * board_sign(b), coalesce(max(d.first), max(d.reversed)),
               count(d.first) > 0, min(d.attempts_left), NULL::jsonb
          FROM (SELECT e.user_id, min(e.created_at) FILTER (WHERE e.reversed_at IS NULL) AS first, max(e.reversed_at) AS reversed,
                       min(e.attempts_left) AS attempts_left
                  FROM board_counted(b, p_part, p_from, p_until, p_user, p_known) e
                 GROUP BY e.user_id, (e.created_at AT TIME ZONE b.zone)::date) d
         GROUP BY d.user_id;
    END CASE;
END
$$;

-- How these players, or all for NULL, stand in a period: what `standings_enter` has come to. Nobody without an entry is among them.
CREATE FUNCTION standings_of_history(p_period board_periods, p_board boards, p_user uuid[]) RETURNS SETOF standings
LANGUAGE sql STABLE AS $$
    SELECT p_period.id, s.user_id, s.points, s.reached_at, s.shown, board_joins(p_board), s.attempts_left, s.metadata
      FROM board_stood(p_board, p_period.part, p_period.starts_at,
                       least(p_period.ends_at - interval '1 microsecond', p_period.counts_until), p_user, 'infinity') s
$$;

-- How everyone, or each of some players, with something to show stood at a moment, on a board whose period that holds it began at
-- `p_from`; hidden players are among them. `points` as they rank. Of NULL, the board of all totals.
CREATE FUNCTION standings_as_of(b boards, p_part text, p_from timestamptz, p_at timestamptz, p_user uuid[] DEFAULT NULL)
RETURNS TABLE (user_id uuid, points bigint, reached_at timestamptz) LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_custom_plan SET work_mem = '128MB' SET jit = off AS $$
BEGIN
    IF b.id IS NULL THEN
        RETURN QUERY
        SELECT h.user_id, sum(h.delta)::bigint, max(h.created_at) FROM score_history h
         WHERE h.created_at <= p_at AND h.value IS NULL AND (p_user IS NULL OR h.user_id = ANY (p_user))
         GROUP BY h.user_id HAVING sum(h.delta) > 0;
    ELSE
        RETURN QUERY
        SELECT s.user_id, s.points, s.reached_at FROM board_stood(b, p_part, p_from, p_at, p_user, p_at) s WHERE s.shown;
    END IF;
END
$$;
