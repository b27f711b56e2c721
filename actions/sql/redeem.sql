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
    standing player_standings,      -- the player's, after this entry and those before it, if it came to the ledger
    places json                     -- and on other boards what it changed
);

-- Why a token pays nothing; NULL if it pays. `t` and `u` are the rows of the token and of the user, all NULL where there is none.
CREATE FUNCTION action_token_refusal(
    t action_tokens, u users, p_user uuid, p_action_type text, p_points bigint, p_now timestamptz
) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN u.id IS NULL OR NOT u.is_active THEN 'not-authenticated'
                WHEN t.id IS NULL THEN 'unknown'
                WHEN (t.user_id, t.action_type, t.points::bigint) IS DISTINCT FROM (p_user, p_action_type::varchar, p_points)
                     THEN 'token-invalid'
                WHEN t.redeemed_at IS NOT NULL THEN 'already-redeemed'
                WHEN t.expires_at <= p_now THEN 'token-expired'
                WHEN t.not_before > p_now THEN 'too-early'
           END
$$;

-- Tokens are claimed first; what the ledger then refuses is given back.
-- `p_as_of` is when queued work was accepted: an honest player must not lose a token to a queue. Plans as in ledger.sql.
CREATE FUNCTION action_redeem(
    p_token uuid[], p_user uuid[], p_action_type text[], p_points bigint[],
    p_issued timestamptz[], p_expires timestamptz[], p_as_of timestamptz, p_request_id text[], p_bound bigint DEFAULT NULL
) RETURNS SETOF redeem_outcome LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    v_many CONSTANT bigint := cardinality(p_token);
    v_stamp CONSTANT timestamptz := clock_timestamp();
    v_now CONSTANT timestamptz := coalesce(p_as_of, v_stamp);
    v_claimed bigint;
    v_ords bigint[];                -- positions of the entries that go to the ledger; NULL: all of them
    v_ledger ledger_outcome;
    v_out redeem_outcome;
BEGIN
    IF p_expires IS NOT NULL THEN
        PERFORM action_tokens_see(p_token, p_user, p_action_type, p_points, p_issued, p_expires, p_bound);
    END IF;

    -- A row that another redemption holds is judged as that one leaves it. One alone needs no order.
    IF v_many > 1 THEN
        PERFORM FROM action_tokens t WHERE t.id = ANY (p_token) ORDER BY t.id FOR UPDATE;
    END IF;
    UPDATE action_tokens t SET redeemed_at = v_stamp
      FROM unnest(p_token) WITH ORDINALITY AS e(token, ord), users u
     WHERE t.id = e.token AND u.id = p_user[e.ord]
       AND action_token_refusal(t, u, p_user[e.ord], p_action_type[e.ord], p_points[e.ord], v_now) IS NULL;
    GET DIAGNOSTICS v_claimed = ROW_COUNT;

    IF v_claimed < v_many THEN
        -- What has this stamp was claimed here, and goes to the ledger whatever became of the user since; of several that are
        -- handed in twice the ledger takes the first. A stamp of the same microsecond by another call does no harm: that call
        -- is in the ledger.
        v_ords := ARRAY(
            SELECT e.ord
              FROM unnest(p_token) WITH ORDINALITY AS e(token, ord)
              JOIN action_tokens t ON t.id = e.token AND t.redeemed_at = v_stamp
             WHERE (t.user_id, t.action_type, t.points::bigint)
                   = (p_user[e.ord], p_action_type[e.ord]::varchar, p_points[e.ord])
             ORDER BY e.ord);
        RETURN QUERY
        SELECT e.ord,
               -- The row is gone some time after expiry; the history remembers for ever.
               CASE WHEN r.refusal = 'unknown' AND h.id IS NOT NULL THEN 'already-redeemed' ELSE r.refusal END,
               h.delta, h.new_total, h.created_at, extract(epoch FROM t.not_before - v_now)::double precision,
               NULL::player_standings, NULL::json
          FROM unnest(p_token) WITH ORDINALITY AS e(token, ord)
          LEFT JOIN action_tokens t ON t.id = e.token
          LEFT JOIN users u ON u.id = p_user[e.ord]
          LEFT JOIN score_history h ON h.user_id = p_user[e.ord] AND h.action_id = e.token
         CROSS JOIN LATERAL (SELECT coalesce(
                    action_token_refusal(t, u, p_user[e.ord], p_action_type[e.ord], p_points[e.ord], v_now),
                    -- The user, or a separate signer's row, can have changed since: the token was not claimed.
                    'not-authenticated') AS refusal) r
         WHERE e.ord <> ALL (v_ords);
        IF v_ords = '{}' THEN
            RETURN;
        END IF;
        p_token := ARRAY(SELECT p_token[o] FROM unnest(v_ords) WITH ORDINALITY AS f(o, place) ORDER BY place);
        p_user := ARRAY(SELECT p_user[o] FROM unnest(v_ords) WITH ORDINALITY AS f(o, place) ORDER BY place);
        p_action_type := ARRAY(SELECT p_action_type[o] FROM unnest(v_ords) WITH ORDINALITY AS f(o, place) ORDER BY place);
        p_points := ARRAY(SELECT p_points[o] FROM unnest(v_ords) WITH ORDINALITY AS f(o, place) ORDER BY place);
        p_request_id := ARRAY(SELECT p_request_id[o] FROM unnest(v_ords) WITH ORDINALITY AS f(o, place) ORDER BY place);
    END IF;

    FOR v_ledger IN
        SELECT * FROM ledger_record(
            p_user, p_token, array_fill('action'::text, ARRAY[cardinality(p_token)]), p_action_type, p_points, NULL, NULL,
            array_fill(''::text, ARRAY[cardinality(p_token)]), p_request_id)
    LOOP
        IF v_ledger.outcome NOT IN ('recorded', 'duplicate') THEN
            UPDATE action_tokens t SET redeemed_at = NULL WHERE t.id = v_ledger.action_id;
        END IF;
        v_out := (coalesce(v_ords[v_ledger.ord], v_ledger.ord),
                  CASE v_ledger.outcome
                       WHEN 'recorded' THEN 'redeemed'
                       WHEN 'duplicate' THEN 'already-redeemed'
                       WHEN 'unknown-user' THEN 'not-authenticated'
                       ELSE v_ledger.outcome
                  END,
                  v_ledger.delta, v_ledger.new_total, v_ledger.created_at, NULL::double precision, v_ledger.standing, v_ledger.places);
        RETURN NEXT v_out;
    END LOOP;
END
$$;
