-- Redemption: claim the tokens and record their points, one statement for one token or a hundred.
--
-- Lock order: tokens by id, then totals by user (inside ledger_record). Every redemption follows it, so two that share
-- tokens or players wait for each other and never in a circle. The claim and the ledger entry commit together; a token whose entry
-- is refused stays unspent.

CREATE TYPE redeem_outcome AS (
    ord bigint,
    outcome text,            -- redeemed | already-redeemed | not-authenticated | token-invalid | token-expired |
                             -- too-early | score-out-of-range
    user_id uuid,
    action_id uuid,
    delta bigint,            -- of the history row: this one's, or the first one's when already-redeemed
    old_total bigint,
    new_total bigint,
    created_at timestamptz,
    total bigint,            -- the player's standing after the call, when this call changed it
    version bigint,
    reached_at timestamptz,
    visible boolean,
    username text,
    avatar_url text,
    region text,
    wait_seconds double precision  -- until the token may be redeemed, when too-early
);

-- `p_issued` and `p_expires` are set for tokens of a separate signer, which has no access to this database: their rows are
-- made here, on first sight, inside what the catalogue allows. `p_as_of` is when queued work was accepted: an honest
-- player must not lose a token to a queue.
CREATE FUNCTION action_redeem(
    p_token uuid[], p_user uuid[], p_action_type text[], p_points bigint[],
    p_issued timestamptz[], p_expires timestamptz[], p_as_of timestamptz, p_request_id text[]
) RETURNS SETOF redeem_outcome LANGUAGE plpgsql AS $$
DECLARE
    v_now timestamptz;
    v_refusal text[];
    v_fresh bigint[];        -- positions of the entries that go to the ledger
BEGIN
    IF p_expires IS NOT NULL THEN
        INSERT INTO action_tokens (id, user_id, action_type, points, issued_at, not_before, expires_at)
        SELECT DISTINCT ON (e.token) e.token, e.user_id, e.action_type, e.points, e.issued,
               e.issued + make_interval(secs => a.min_seconds),
               least(e.expires, e.issued + make_interval(secs => a.token_lifetime))
          FROM unnest(p_token, p_user, p_action_type, p_points, p_issued, p_expires)
               AS e(token, user_id, action_type, points, issued, expires)
          JOIN action_types a ON a.slug = e.action_type AND a.enabled
           AND e.points BETWEEN coalesce(a.min_points, a.points) AND coalesce(a.max_points, a.points)
         WHERE e.expires > coalesce(p_as_of, clock_timestamp()) AND e.issued <= clock_timestamp() + interval '5 seconds'
           AND NOT EXISTS (SELECT 1 FROM action_tokens t WHERE t.id = e.token)
         ORDER BY e.token
            ON CONFLICT DO NOTHING;
    END IF;

    PERFORM 1 FROM action_tokens t WHERE t.id = ANY (p_token) ORDER BY t.id FOR UPDATE;
    v_now := coalesce(p_as_of, clock_timestamp());

    -- New statement, new snapshot: it sees what the redemptions we waited for have spent.
    SELECT array_agg(j.refusal ORDER BY j.ord), array_agg(j.ord ORDER BY j.ord) FILTER (WHERE j.refusal IS NULL)
      INTO v_refusal, v_fresh
      FROM (
        SELECT e.ord,
               CASE WHEN u.id IS NULL OR NOT u.is_active THEN 'not-authenticated'
                    -- The row is gone some time after expiry; the history remembers for ever.
                    WHEN t.id IS NULL AND h.id IS NOT NULL THEN 'already-redeemed'
                    WHEN t.id IS NULL THEN 'unknown'
                    WHEN (t.user_id, t.action_type, t.points::bigint)
                         IS DISTINCT FROM (e.user_id, e.action_type::varchar, e.points) THEN 'token-invalid'
                    WHEN t.redeemed_at IS NOT NULL THEN 'already-redeemed'
                    WHEN t.expires_at <= v_now THEN 'token-expired'
                    WHEN t.not_before > v_now THEN 'too-early'
                    WHEN row_number() OVER (PARTITION BY e.token ORDER BY e.ord) > 1 THEN 'already-redeemed'
               END AS refusal
          FROM unnest(p_token, p_user, p_action_type, p_points)
               WITH ORDINALITY AS e(token, user_id, action_type, points, ord)
          LEFT JOIN action_tokens t ON t.id = e.token
          LEFT JOIN users u ON u.id = e.user_id
          LEFT JOIN score_history h ON h.user_id = e.user_id AND h.action_id = e.token
      ) j;

    RETURN QUERY
    WITH fresh AS (
        SELECT f.ord, f.position FROM unnest(v_fresh) WITH ORDINALITY AS f(ord, position)
    ), ledger AS (
        SELECT f.ord AS entry_ord, l.*
          FROM ledger_record(
                   (SELECT array_agg(p_user[f.ord] ORDER BY f.position) FROM fresh f),
                   (SELECT array_agg(p_token[f.ord] ORDER BY f.position) FROM fresh f),
                   (SELECT array_agg('action'::text) FROM fresh f),
                   (SELECT array_agg(p_action_type[f.ord] ORDER BY f.position) FROM fresh f),
                   (SELECT array_agg(p_points[f.ord] ORDER BY f.position) FROM fresh f),
                   (SELECT array_agg(NULL::bigint) FROM fresh f),
                   (SELECT array_agg(NULL::uuid) FROM fresh f),
                   (SELECT array_agg(''::text) FROM fresh f),
                   (SELECT array_agg(p_request_id[f.ord] ORDER BY f.position) FROM fresh f)) l
          JOIN fresh f ON f.position = l.ord
         WHERE v_fresh IS NOT NULL
    ), claimed AS (
        -- A duplicate in the ledger means the history knows this token although its row looks unspent: spend it.
        UPDATE action_tokens t SET redeemed_at = l.created_at
          FROM ledger l
         WHERE t.id = l.action_id AND l.outcome IN ('recorded', 'duplicate')
        RETURNING t.id
    )
    SELECT e.ord,
           CASE coalesce(v_refusal[e.ord], l.outcome)
                WHEN 'recorded' THEN 'redeemed'
                WHEN 'duplicate' THEN 'already-redeemed'
                WHEN 'unknown-user' THEN 'not-authenticated'
                ELSE coalesce(v_refusal[e.ord], l.outcome)
           END,
           e.user_id, e.token,
           coalesce(l.delta, h.delta), coalesce(l.old_total, h.old_total),
           coalesce(l.new_total, h.new_total), coalesce(l.created_at, h.created_at),
           l.total, l.version, l.reached_at, l.visible, l.username, l.avatar_url, l.region,
           extract(epoch FROM t.not_before - v_now)::double precision
      FROM unnest(p_token, p_user) WITH ORDINALITY AS e(token, user_id, ord)
      LEFT JOIN ledger l ON l.entry_ord = e.ord
      LEFT JOIN action_tokens t ON t.id = e.token AND v_refusal[e.ord] = 'too-early'
      LEFT JOIN score_history h ON v_refusal[e.ord] = 'already-redeemed'
                               AND h.user_id = e.user_id AND h.action_id = e.token
     ORDER BY e.ord;
END
$$;
