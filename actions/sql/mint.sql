-- Minting: may this token be issued, and if so, its row. One statement decides and writes.
--
-- What a player may grant is bounded by what the same player was granted before: rows of action_tokens, which are kept as
-- long as they count (`purge_after`). A back end's tokens obey the bounds of the type alone.

CREATE TYPE mint_outcome AS (
    outcome text,            -- minted | player-disabled | not-authenticated | sign-in-ended | unknown-type | not-yours-to-grant |
                             -- measure | staff | points-out-of-bounds | rate-limited
    points bigint,           -- of the token, like the next two
    issued_at timestamptz,
    expires_at timestamptz,
    policy text,             -- the limit that is used up, when rate-limited: at most `amount` in `seconds`
    amount int,
    seconds int,
    wait_seconds double precision
);

-- `p_points` NULL: the type's. `p_granted_by` is back_end or player; `p_sign_in` the player's, which must go on. `p_most` in
-- `p_seconds` is what the site lets one player grant, over all types; NULL: no such limit. `p_bound` as in types.sql, plans as
-- in ledger.sql.
CREATE FUNCTION action_mint(
    p_token uuid, p_user uuid, p_action_type text, p_points bigint, p_granted_by text, p_issued_by uuid, p_sign_in uuid,
    p_most int, p_seconds int, p_bound bigint
) RETURNS mint_outcome LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    v_user record;
    v_type action_types;
    v_now timestamptz;
    v_points bigint;
    v_kept int := 0;         -- seconds for which the row counts against the player's limits
    v_minted mint_outcome;
BEGIN
    SELECT u.is_active, u.erased_at IS NOT NULL AS erased, u.role <> 'player' AS staff,
           p_sign_in IS NULL
           OR EXISTS (SELECT FROM sign_ins s WHERE s.id = p_sign_in AND s.user_id = u.id AND s.ended_at IS NULL) AS goes_on
      INTO v_user FROM users u WHERE u.id = p_user;
    SELECT * INTO v_type FROM action_types a WHERE a.slug = p_action_type AND action_type_works(a, p_bound);
    v_points := coalesce(p_points, v_type.points);
    v_minted.outcome := CASE
        WHEN NOT (v_user.is_active OR v_user.erased) AND p_granted_by = 'back_end' THEN 'player-disabled'
        WHEN v_user.is_active IS NOT TRUE THEN 'not-authenticated'
        WHEN NOT v_user.goes_on THEN 'sign-in-ended'
        WHEN v_type.slug IS NULL THEN 'unknown-type'
        -- A back end may do what a player may. What a separate signer grants, only its signature does.
        WHEN v_type.granted_by NOT IN (p_granted_by, 'player') THEN 'not-yours-to-grant'
        WHEN v_type.measure THEN 'measure'
        WHEN v_user.staff THEN 'staff'
        WHEN v_points NOT BETWEEN coalesce(v_type.min_points, v_type.points)
                              AND coalesce(v_type.max_points, v_type.points) THEN 'points-out-of-bounds'
    END;
    IF v_minted.outcome IS NOT NULL THEN
        RETURN v_minted;
    END IF;

    v_now := clock_timestamp();
    IF p_granted_by = 'player' THEN
        -- One mint of a player at a time: else two could both be the last that is allowed. The clock is read after the lock,
        -- and the next statement's snapshot sees what the mint we waited for has written.
        PERFORM pg_advisory_xact_lock(hashtextextended('mint ' || p_user, 0));
        v_now := clock_timestamp();
        SELECT 'rate-limited', NULL, NULL, NULL, l.policy, l.most, l.seconds,
               extract(epoch FROM used.issued_at - v_now) + l.seconds
          INTO v_minted
          FROM (VALUES ('cooldown-' || v_type.slug, 1, v_type.cooldown, v_type.slug),
                       ('actions-' || v_type.slug, v_type.max_per_hour, 3600, v_type.slug),
                       ('actions', p_most, p_seconds, NULL)) AS l(policy, most, seconds, slug)
         CROSS JOIN LATERAL (
               SELECT t.issued_at FROM action_tokens t
                WHERE t.user_id = p_user AND t.granted_by = 'player' AND (l.slug IS NULL OR t.action_type = l.slug)
                  AND t.issued_at > v_now - make_interval(secs => l.seconds)
                ORDER BY t.issued_at DESC OFFSET l.most - 1 LIMIT 1) AS used
         WHERE l.most > 0 AND l.seconds > 0
         ORDER BY 8 DESC LIMIT 1;
        IF FOUND THEN
            RETURN v_minted;
        END IF;
        v_kept := greatest(v_type.cooldown, p_seconds, 3600);
    END IF;

    INSERT INTO action_tokens (id, user_id, action_type, points, granted_by, issued_by, issued_at, not_before, expires_at,
                               purge_after)
    SELECT p_token, p_user, v_type.slug, v_points, p_granted_by, p_issued_by, v_now,
           v_now + make_interval(secs => CASE WHEN p_granted_by = 'player' THEN v_type.min_seconds ELSE 0 END),
           v_now + make_interval(secs => v_type.token_lifetime),
           v_now + greatest(make_interval(secs => v_type.token_lifetime) + interval '1 day', make_interval(secs => v_kept))
    RETURNING 'minted', points, issued_at, expires_at INTO v_minted.outcome, v_minted.points, v_minted.issued_at,
              v_minted.expires_at;
    RETURN v_minted;
END
$$;
