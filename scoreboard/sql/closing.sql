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
