-- Awards: a trusted back end says that its player has done it. One statement for one or a thousand, of one back end or several:
-- players who are seen for the first time are made, the ids of the deeds claimed, the points recorded.
--
-- Lock order, by every call: players that are made by provider and external id, rows of `users` that change by id, claims by
-- provider and key, totals by user (inside ledger_record). Each kind is held before the next is asked for, so calls over the
-- same players or deeds wait for each other and never in a circle.

CREATE TYPE award_judgement AS (
    ord bigint,
    outcome text,            -- as below, or fresh: to be recorded, or unseen: by a player who is to be made first
    key bytea,               -- of the deed: the SHA-256 of the site's id of it
    user_id uuid,            -- of the player; of a deed known already, of the player it was paid to
    action_id uuid,          -- of a deed known already
    points bigint,           -- 0 of a measure
    value bigint             -- of a measure
);

CREATE TYPE award_outcome AS (
    ord bigint,
    outcome text,            -- awarded | replayed | id-reused | unknown-type | type-not-of-key | not-yours-to-grant |
                             -- points-out-of-bounds | points-of-measure | value-missing | value-of-points |
                             -- value-out-of-bounds | unknown-user | player-disabled | staff | what the ledger refuses with
    user_id uuid,
    action_id uuid,
    action_type text,        -- of the history row, like the next three; of the first award's when replayed or id-reused
    delta bigint,
    value bigint,            -- of a measure
    new_total bigint,
    created_at timestamptz,
    standing player_standings, -- the player's after the whole call, when awarded or replayed
    places json                -- and on other boards what it changed, when awarded
);

-- What is to become of each entry, as things are now. `p_provider` is the key's, `p_granted` whether the key may grant this type.
-- The player is `p_user`, or `p_player` of the provider `p_of`; who is unknown is made if `p_new` has an id for the row.
-- `p_digest` is how a player who was banned and erased is remembered. `p_bound` as in types.sql.
--
-- A repeat is the same call if player, type and points, or value, are the first one's. Of a player who was erased since then nothing
-- is left to compare, but one who was there before the award was is another.
--
-- The plan is made once, perhaps while the tables are nearly empty, when reading all awards of a provider looks as cheap as
-- looking one up: so each join has to go by a key.
CREATE FUNCTION award_judge(
    p_provider text[], p_granted boolean[], p_id text[], p_user uuid[], p_of text[], p_player text[], p_new uuid[],
    p_digest text[], p_action_type text[], p_points bigint[], p_value bigint[], p_bound bigint
) RETURNS SETOF award_judgement LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off AS $$
BEGIN
    RETURN QUERY
    SELECT e.ord,
           CASE WHEN w.action_id IS NOT NULL THEN
                     CASE WHEN w.action_type = e.action_type AND (w.points, w.value) IS NOT DISTINCT FROM (e.points, e.value)
                           AND (w.user_id = r.user_id
                                OR owner.erased_at IS NOT NULL AND (r.user_id IS NULL OR u.date_joined > w.created_at))
                          THEN 'replayed' ELSE 'id-reused' END
                WHEN a.slug IS NULL THEN 'unknown-type'
                WHEN NOT e.granted THEN 'type-not-of-key'
                -- A back end may do what a player may. What a separate signer grants, only its signature does.
                WHEN a.granted_by NOT IN ('back_end', 'player') THEN 'not-yours-to-grant'
                WHEN a.measure AND e.points IS NOT NULL THEN 'points-of-measure'
                WHEN a.measure AND e.value IS NULL THEN 'value-missing'
                WHEN NOT a.measure AND e.value IS NOT NULL THEN 'value-of-points'
                WHEN a.measure AND (e.value < a.min_points OR e.value > a.max_points) THEN 'value-out-of-bounds'
                WHEN e.points NOT BETWEEN coalesce(a.min_points, a.points) AND coalesce(a.max_points, a.points)
                     THEN 'points-out-of-bounds'
                WHEN r.user_id IS NULL AND e.new IS NULL THEN 'unknown-user'
                WHEN EXISTS (SELECT FROM banned_players b WHERE b.digest = e.digest) THEN 'player-disabled'
                WHEN r.user_id IS NULL THEN 'unseen'
                WHEN u.id IS NULL OR u.erased_at IS NOT NULL THEN 'unknown-user'
                WHEN NOT u.is_active THEN 'player-disabled'
                WHEN u.role <> 'player' THEN 'staff'
                ELSE 'fresh'
           END,
           k.key, coalesce(w.user_id, r.user_id), w.action_id, coalesce(e.points, a.points), e.value
      FROM unnest(p_provider, p_granted, p_id, p_user, p_of, p_player, p_new, p_digest, p_action_type, p_points, p_value)
           WITH ORDINALITY AS e(provider, granted, id, user_id, of, player, new, digest, action_type, points, value, ord)
     CROSS JOIN LATERAL (SELECT sha256(convert_to(e.id, 'UTF8')) AS key) k
     CROSS JOIN LATERAL (SELECT coalesce(e.user_id, (SELECT x.id FROM users x
                                                      WHERE x.provider = e.of AND x.external_id = e.player)) AS user_id) r
      LEFT JOIN users u ON u.id = r.user_id
      LEFT JOIN action_types a ON a.slug = e.action_type AND action_type_works(a, p_bound)
      LEFT JOIN awards w ON w.provider = e.provider AND w.key = k.key
      LEFT JOIN users owner ON owner.id = w.user_id
     ORDER BY e.ord;
END
$$;

-- `p_action` are fresh ids, one an entry. Each entry is judged alone; of several with one id the first that can be recorded is,
-- and the others are repeats of it. How a player is to appear is written with what is recorded, and not by a repeat. Plans
-- as in ledger.sql.
CREATE FUNCTION award_record(
    p_provider text[], p_granted boolean[], p_issued_by uuid[], p_request_id text[],
    p_id text[], p_action uuid[], p_user uuid[], p_of text[], p_player text[], p_new uuid[], p_digest text[],
    p_action_type text[], p_points bigint[], p_value bigint[], p_metadata jsonb[], p_occurred timestamptz[],
    p_name text[], p_avatar text[], p_region text[], p_attributes jsonb[], p_bound bigint
) RETURNS SETOF award_outcome LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    v_judged award_judgement[];  -- by position
    v_ords bigint[];             -- positions of the entries that are fresh, then of those whose deed was claimed
    v_users uuid[];              -- of each entry in v_ords
    v_locked uuid[];             -- players whose rows this call may change
    v_ledger ledger_outcome[];   -- of each entry in v_ords
BEGIN
    v_judged := ARRAY(SELECT j FROM award_judge(p_provider, p_granted, p_id, p_user, p_of, p_player, p_new, p_digest,
                                                p_action_type, p_points, p_value, p_bound) j ORDER BY j.ord);
    IF EXISTS (SELECT FROM unnest(v_judged) j WHERE j.outcome = 'unseen') THEN
        PERFORM players_make(array_agg(p_provider[j.ord]), array_agg(p_player[j.ord]), array_agg(p_new[j.ord]))
           FROM unnest(v_judged) j WHERE j.outcome = 'unseen';
        v_judged := ARRAY(SELECT j FROM award_judge(p_provider, p_granted, p_id, p_user, p_of, p_player, p_new, p_digest,
                                                    p_action_type, p_points, p_value, p_bound) j ORDER BY j.ord);
    END IF;
    v_ords := ARRAY(SELECT min(j.ord) FROM unnest(v_judged) j WHERE j.outcome = 'fresh'
                     GROUP BY p_provider[j.ord], j.key ORDER BY 1);
    v_users := ARRAY(SELECT v_judged[f.ord].user_id FROM unnest(v_ords) WITH ORDINALITY AS f(ord, place) ORDER BY f.place);

    -- Before any claim and any total. Whoever changed such a row in between has the last word on it.
    v_locked := ARRAY(
        SELECT u.id FROM users u
         WHERE u.id = ANY (ARRAY(
               SELECT d.user_id FROM players_described(
                   v_users,
                   ARRAY(SELECT p_name[o] FROM unnest(v_ords) WITH ORDINALITY AS f(o, place) ORDER BY place),
                   ARRAY(SELECT p_avatar[o] FROM unnest(v_ords) WITH ORDINALITY AS f(o, place) ORDER BY place),
                   ARRAY(SELECT p_region[o] FROM unnest(v_ords) WITH ORDINALITY AS f(o, place) ORDER BY place),
                   ARRAY(SELECT p_attributes[o] FROM unnest(v_ords) WITH ORDINALITY AS f(o, place) ORDER BY place),
                   NULL) d))
         ORDER BY u.id FOR NO KEY UPDATE);

    -- The last word on paying a deed once. Of equal calls at one moment each waits here for the first to commit.
    WITH claimed AS (
        INSERT INTO awards (action_id, provider, key, external_id, user_id, action_type, points, value, issued_by, created_at)
        SELECT p_action[j.ord], p_provider[j.ord], j.key, p_id[j.ord], j.user_id, p_action_type[j.ord], p_points[j.ord],
               p_value[j.ord], p_issued_by[j.ord], clock_timestamp()
          FROM unnest(v_ords) AS f(ord) JOIN unnest(v_judged) j ON j.ord = f.ord
         ORDER BY p_provider[j.ord], j.key
            ON CONFLICT DO NOTHING
        RETURNING action_id
    )
    SELECT coalesce(array_agg(f.ord ORDER BY f.ord), '{}') INTO v_ords
      FROM unnest(v_ords) AS f(ord) JOIN claimed c ON c.action_id = p_action[f.ord];
    v_users := ARRAY(SELECT v_judged[f.ord].user_id FROM unnest(v_ords) WITH ORDINALITY AS f(ord, place) ORDER BY f.place);

    -- How a player appears from now on, before the points: they count on the boards of the region that came with them. Totals are
    -- held first, in the ledger's order; what it is going to refuse changes nothing.
    IF v_locked <> '{}' AND v_ords <> '{}' THEN
        PERFORM FROM user_scores s WHERE s.user_id = ANY (v_users) ORDER BY s.user_id FOR NO KEY UPDATE;
        PERFORM players_describe(
                    array_agg(s.user_id ORDER BY o), array_agg(p_name[o] ORDER BY o), array_agg(p_avatar[o] ORDER BY o),
                    array_agg(p_region[o] ORDER BY o), array_agg(p_attributes[o] ORDER BY o), NULL)
           FROM unnest(v_ords) o JOIN user_scores s ON s.user_id = v_judged[o].user_id JOIN users u ON u.id = s.user_id
          WHERE s.user_id = ANY (v_locked) AND ledger_refusal(s.total, u.role, v_judged[o].points, v_judged[o].value, NULL) IS NULL
         HAVING count(*) > 0;
    END IF;

    IF v_ords <> '{}' THEN
        v_ledger := ARRAY(
            SELECT l FROM ledger_record(
                v_users,
                ARRAY(SELECT p_action[o] FROM unnest(v_ords) WITH ORDINALITY AS f(o, place) ORDER BY place),
                array_fill('award'::text, ARRAY[cardinality(v_ords)]),
                ARRAY(SELECT p_action_type[o] FROM unnest(v_ords) WITH ORDINALITY AS f(o, place) ORDER BY place),
                ARRAY(SELECT v_judged[o].points FROM unnest(v_ords) WITH ORDINALITY AS f(o, place) ORDER BY place),
                NULL, NULL, array_fill(''::text, ARRAY[cardinality(v_ords)]),
                ARRAY(SELECT p_request_id[o] FROM unnest(v_ords) WITH ORDINALITY AS f(o, place) ORDER BY place),
                ARRAY(SELECT p_occurred[o] FROM unnest(v_ords) WITH ORDINALITY AS f(o, place) ORDER BY place), NULL, NULL,
                ARRAY(SELECT p_value[o] FROM unnest(v_ords) WITH ORDINALITY AS f(o, place) ORDER BY place),
                ARRAY(SELECT p_metadata[o] FROM unnest(v_ords) WITH ORDINALITY AS f(o, place) ORDER BY place)) l
             ORDER BY l.ord);
        -- What the ledger refuses has claimed nothing.
        DELETE FROM awards w WHERE w.action_id IN (SELECT l.action_id FROM unnest(v_ledger) l WHERE l.outcome <> 'recorded');
    END IF;

    IF cardinality(v_ords) < cardinality(p_id) THEN
        -- New snapshot: it sees what was recorded here, and by the calls that were waited for. A refusal stays one.
        v_judged := ARRAY(SELECT CASE WHEN v_judged[j.ord].outcome IN ('fresh', 'unseen') THEN j ELSE v_judged[j.ord] END
                            FROM award_judge(p_provider, p_granted, p_id, p_user, p_of, p_player, p_new, p_digest,
                                             p_action_type, p_points, p_value, p_bound) j ORDER BY j.ord);
    END IF;

    RETURN QUERY
    WITH recorded AS MATERIALIZED (
        SELECT v_ords[l.ord] AS ord, l.outcome, l.user_id, l.action_id, l.places FROM unnest(v_ledger) l
    ), told AS (
        SELECT j.ord,
               CASE WHEN r.outcome = 'recorded' THEN 'awarded'
                    WHEN r.outcome IS NOT NULL THEN r.outcome
                    WHEN j.outcome IN ('fresh', 'unseen') THEN coalesce(f.outcome, 'unknown-user')
                    ELSE j.outcome
               END AS outcome,
               coalesce(r.user_id, j.user_id) AS user_id, coalesce(r.action_id, j.action_id) AS action_id, r.places
          FROM unnest(v_judged) j
          LEFT JOIN recorded r ON r.ord = j.ord
          -- A repeat, within the call, of what the ledger refused.
          LEFT JOIN LATERAL (SELECT x.outcome FROM recorded x JOIN unnest(v_judged) y ON y.ord = x.ord
                              WHERE y.key = j.key AND p_provider[y.ord] = p_provider[j.ord] AND j.outcome = 'fresh'
                              LIMIT 1) f ON true
    )
    SELECT t.ord, t.outcome, t.user_id, t.action_id, h.action_type::text, h.delta, h.value, h.new_total, h.created_at, p, t.places
      FROM told t
      LEFT JOIN score_history h ON h.user_id = t.user_id AND h.action_id = t.action_id
      LEFT JOIN player_standings p ON p.user_id = t.user_id AND t.outcome IN ('awarded', 'replayed')
     ORDER BY t.ord;
END
$$;

-- An award whose row is gone is paid once more under its id. Only a claim that paid nothing is given back.
CREATE FUNCTION awards_refuse_removal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM score_history h WHERE h.user_id = OLD.user_id AND h.action_id = OLD.action_id) THEN
        RAISE EXCEPTION 'rows of awards that were paid are never removed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END
$$;

CREATE TRIGGER awards_kept BEFORE TRUNCATE ON awards
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER awards_kept_row BEFORE DELETE ON awards
    FOR EACH ROW EXECUTE FUNCTION awards_refuse_removal();
