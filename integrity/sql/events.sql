-- The newest rewarded actions of these players, oldest first within each, with the times of their tokens.
--
-- A loop, because it stops at the first row that is too old: a plain query would read a player's whole history to learn that
-- nothing more is new. Rows are in the order of their ids only roughly in order of time, hence the margin. A token is
-- purged a day after it has expired; then the redemption's time stands in for both of its times.
CREATE FUNCTION watch_events(p_user uuid[], p_since timestamptz, p_limit integer)
RETURNS TABLE (user_id uuid, history_id bigint, action_type text, points bigint,
               issued double precision, not_before double precision, redeemed double precision)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_user uuid;
    v_row record;
    v_ids bigint[];
BEGIN
    FOREACH v_user IN ARRAY p_user LOOP
        v_ids := '{}';
        FOR v_row IN SELECT h.id, h.source, h.created_at FROM score_history h
                      WHERE h.user_id = v_user ORDER BY h.id DESC LIMIT p_limit LOOP
            EXIT WHEN v_row.created_at < p_since - interval '10 minutes';
            IF v_row.source = 'action' AND v_row.created_at >= p_since THEN
                v_ids := v_ids || v_row.id;
            END IF;
        END LOOP;
        RETURN QUERY
        SELECT h.user_id, h.id, h.action_type::text, h.delta,
               extract(epoch FROM coalesce(t.issued_at, h.created_at))::double precision,
               extract(epoch FROM coalesce(t.not_before, h.created_at))::double precision,
               extract(epoch FROM h.created_at)::double precision
          FROM score_history h LEFT JOIN action_tokens t ON t.id = h.action_id
         WHERE h.id = ANY (v_ids)
         ORDER BY h.created_at, h.id;
    END LOOP;
END
$$;
