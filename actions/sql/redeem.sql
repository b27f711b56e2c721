-- Redemption: claim the tokens and record their points, one statement for one token or a hundred.
--
-- Lock order: tokens by id, then totals by user (inside ledger_record). Every redemption follows it, so two that share
-- tokens or players wait for each other and never in a circle. The claim and the ledger entry commit together; a token whose entry
-- is refused stays unspent.

-- Tokens of a separate signer, which has no access to this database, get their rows here, when they are first seen, inside
-- what the catalogue allows now: what is changed later does not touch them. Of others `p_issued` and `p_expires` are NULL.
CREATE FUNCTION action_tokens_see(
    p_token uuid[], p_user uuid[], p_action_type text[], p_points bigint[], p_issued timestamptz[], p_expires timestamptz[],
    p_bound bigint
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO action_tokens (id, user_id, action_type, points, granted_by, issued_at, not_before, expires_at, purge_after)
    SELECT DISTINCT ON (e.token) e.token, e.user_id, e.action_type, e.points, 'signer', e.issued, e.issued,
           least(e.expires, e.issued + make_interval(secs => a.token_lifetime)),
           least(e.expires, e.issued + make_interval(secs => a.token_lifetime)) + interval '1 day'
      FROM unnest(p_token, p_user, p_action_type, p_points, p_issued, p_expires)
           AS e(token, user_id, action_type, points, issued, expires)
      JOIN action_types a ON a.slug = e.action_type AND a.granted_by = 'signer' AND action_type_works(a, p_bound)
       AND e.points BETWEEN coalesce(a.min_points, a.points) AND coalesce(a.max_points, a.points)
     WHERE e.expires > clock_timestamp() AND e.issued <= clock_timestamp() + interval '5 seconds'
       AND NOT EXISTS (SELECT 1 FROM action_tokens t WHERE t.id = e.token)
       AND NOT EXISTS (SELECT 1 FROM score_history h WHERE h.user_id = e.user_id AND h.action_id = e.token)
     ORDER BY e.token
        ON CONFLICT DO NOTHING
$$;

CREATE TYPE redeem_outcome AS (
    ord bigint,
    outcome text,            -- redeemed | already-redeemed | not-authenticated | token-invalid | token-expired |
                             -- too-early | score-out-of-range | staff | unknown (no row, and the history does not know it either)
    delta bigint,            -- of the history row: this one's, or the first one's when already-redeemed
    new_total bigint,
    created_at timestamptz,
    wait_seconds double precision,  -- until the token may be redeemed, when too-early
    standing player_standings       -- the player's, after the call, if the entry came to the ledger
);

-- `p_as_of` is when queued work was accepted: an honest player must not lose a token to a queue. Plans as in ledger.sql.
CREATE FUNCTION action_redeem(
    p_token uuid[], p_user uuid[], p_action_type text[], p_points bigint[],
    p_issued timestamptz[], p_expires timestamptz[], p_as_of timestamptz, p_request_id text[], p_bound bigint DEFAULT NULL
) RETURNS SETOF redeem_outcome LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    v_now timestamptz;
    v_judged redeem_outcome[];
    v_fresh bigint[];        -- positions of the entries that go to the ledger
BEGIN
    IF p_expires IS NOT NULL THEN
        PERFORM action_tokens_see(p_token, p_user, p_action_type, p_points, p_issued, p_expires, p_bound);
    END IF;

    PERFORM 1 FROM action_tokens t WHERE t.id = ANY (p_token) ORDER BY t.id FOR UPDATE;
    v_now := coalesce(p_as_of, clock_timestamp());

    -- New statement, new snapshot: it sees what the redemptions we waited for have spent.
    SELECT array_agg((j.ord, j.refusal, j.delta, j.new_total, j.created_at, j.wait_seconds, NULL)::redeem_outcome),
           array_agg(j.ord) FILTER (WHERE j.refusal IS NULL)
      INTO v_judged, v_fresh
      FROM (
        SELECT e.ord, h.delta, h.new_total, h.created_at,
               extract(epoch FROM t.not_before - v_now)::double precision AS wait_seconds,
               CASE WHEN u.id IS NULL OR NOT u.is_active THEN 'not-authenticated'
                    -- The row is gone some time after expiry; the history remembers for ever.
                    WHEN t.id IS NULL AND h.id IS NOT NULL THEN 'already-redeemed'
                    WHEN t.id IS NULL THEN 'unknown'
                    WHEN (t.user_id, t.action_type, t.points::bigint)
                         IS DISTINCT FROM (e.user_id, e.action_type::varchar, e.points) THEN 'token-invalid'
                    WHEN t.redeemed_at IS NOT NULL THEN 'already-redeemed'
                    WHEN t.expires_at <= v_now THEN 'token-expired'
                    WHEN t.not_before > v_now THEN 'too-early'
               END AS refusal
          FROM unnest(p_token, p_user, p_action_type, p_points)
               WITH ORDINALITY AS e(token, user_id, action_type, points, ord)
          LEFT JOIN action_tokens t ON t.id = e.token
          LEFT JOIN users u ON u.id = e.user_id
          LEFT JOIN score_history h ON h.user_id = e.user_id AND h.action_id = e.token
         ORDER BY e.ord
      ) j;

    IF v_fresh IS NULL THEN
        RETURN QUERY SELECT * FROM unnest(v_judged);
        RETURN;
    ELSIF cardinality(v_fresh) < cardinality(p_token) THEN
        p_token := ARRAY(SELECT p_token[f.ord] FROM unnest(v_fresh) AS f(ord));
        p_user := ARRAY(SELECT p_user[f.ord] FROM unnest(v_fresh) AS f(ord));
        p_action_type := ARRAY(SELECT p_action_type[f.ord] FROM unnest(v_fresh) AS f(ord));
        p_points := ARRAY(SELECT p_points[f.ord] FROM unnest(v_fresh) AS f(ord));
        p_request_id := ARRAY(SELECT p_request_id[f.ord] FROM unnest(v_fresh) AS f(ord));
    END IF;

    RETURN QUERY
    WITH ledger AS MATERIALIZED (
        SELECT v_fresh[l.ord] AS entry_ord, l.*
          FROM ledger_record(p_user, p_token, array_fill('action'::text, ARRAY[cardinality(v_fresh)]), p_action_type,
                             p_points, NULL, NULL, array_fill(''::text, ARRAY[cardinality(v_fresh)]), p_request_id) l
    ), spent AS (
        -- A duplicate in the ledger means the history knows this token although its row looks unspent: spend it.
        UPDATE action_tokens t SET redeemed_at = l.created_at
          FROM ledger l
         WHERE t.id = l.action_id AND l.outcome IN ('recorded', 'duplicate')
    )
    SELECT j.ord,
           CASE coalesce(j.outcome, l.outcome)
                WHEN 'recorded' THEN 'redeemed'
                WHEN 'duplicate' THEN 'already-redeemed'
                WHEN 'unknown-user' THEN 'not-authenticated'
                ELSE coalesce(j.outcome, l.outcome)
           END,
           coalesce(j.delta, l.delta), coalesce(j.new_total, l.new_total), coalesce(j.created_at, l.created_at),
           j.wait_seconds, l.standing
      FROM unnest(v_judged) j
      LEFT JOIN ledger l ON l.entry_ord = j.ord
     ORDER BY j.ord;
END
$$;
