-- Closing a period: its final ranks, and what they give.

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
                   row_number() OVER (ORDER BY s.points DESC, CASE WHEN p_board.ties = 'latest' THEN s.reached_at END DESC,
                                               s.reached_at, s.user_id DESC) AS place
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

-- What closing a period gives to those whose final rank is in the ranges of its rule's `close`. In the transaction that keeps
-- the final ranks: a period that is closed has given everything, once, and one that is not has given nothing.
-- A hidden board tells its players nothing; webhooks are the organiser's own.
CREATE FUNCTION period_gives(p_period board_periods, p_board boards, p_ranked bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO player_notices (user_id, period_id, rank, text, created_at, told)
    SELECT f.user_id, f.period_id, f.rank, g.notice, p_period.closed_at, false
      FROM jsonb_to_recordset(p_board.close) AS g(ranks int[], notice text)
      JOIN final_standings f ON f.period_id = p_period.id AND f.rank BETWEEN g.ranks[1] AND g.ranks[2]
     WHERE g.notice IS NOT NULL AND p_board.visibility <> 'hidden'
     ORDER BY f.place;

    IF NOT EXISTS (SELECT FROM jsonb_to_recordset(p_board.close) AS g(webhook boolean) WHERE g.webhook) THEN
        RETURN;
    END IF;
    WITH placed AS MATERIALIZED (
        SELECT f.*, (row_number() OVER (ORDER BY f.place) - 1) / 1000 + 1 AS piece FROM final_standings f
         WHERE f.period_id = p_period.id
           AND EXISTS (SELECT FROM jsonb_to_recordset(p_board.close) AS g(ranks int[], webhook boolean)
                        WHERE g.webhook AND f.rank BETWEEN g.ranks[1] AND g.ranks[2])
    ), counted AS (
        SELECT greatest(max(piece), 1) AS pieces FROM placed
    )
    INSERT INTO period_closings (board, period, starts_at, ends_at, closed_at, players, piece, pieces, places)
    SELECT concat_ws('.', p_board.slug, nullif(p_period.part, '')), p_period.key, p_period.starts_at, p_period.ends_at,
           p_period.closed_at, p_ranked, n.piece, c.pieces, coalesce(p.places, '[]')
      FROM counted c CROSS JOIN LATERAL generate_series(1, c.pieces) AS n(piece)
      LEFT JOIN (SELECT piece, jsonb_agg(jsonb_build_array(rank, user_id, points) ORDER BY place) AS places
                   FROM placed GROUP BY piece) p ON p.piece = n.piece
     ORDER BY n.piece;
END
$$;
