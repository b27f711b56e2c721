-- The ledger: the only code that changes a total.
--
-- Arrays of entries in, one row per entry out. Locks are taken on user_scores in user order, by every writer, so that
-- writers over the same players wait for each other and never in a circle.

CREATE TYPE ledger_outcome AS (
    ord bigint,              -- position in the input arrays, from 1
    outcome text,            -- recorded | duplicate | unchanged | score-out-of-range | unknown-user | staff
    user_id uuid,
    action_id uuid,
    version bigint,          -- of the recorded entry, like the next three; those of the first one when duplicate
    delta bigint,
    old_total bigint,
    new_total bigint,
    created_at timestamptz,
    standing player_standings, -- the player's, after this entry and those of the call before it
    places json                -- what it changed on other boards, if it was recorded; all there are, where a call takes back
);

-- Why an entry of a known player that is no duplicate is not recorded; NULL if it is. No entry of any source raises the total of
-- staff (every role but player), or brings them a measure; what they had before they became staff stays, and can be taken back.
-- A measure, which has a value, changes no total.
CREATE FUNCTION ledger_refusal(p_total bigint, p_role text, p_delta bigint, p_value bigint, p_reverses bigint)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN (p_delta > 0 OR p_value IS NOT NULL AND p_reverses IS NULL) AND p_role <> 'player' THEN 'staff'
                -- No total is further than this from another, and no sum overflows.
                WHEN p_delta NOT BETWEEN -9007199254740991 AND 9007199254740991 THEN 'score-out-of-range'
                WHEN p_total + p_delta NOT BETWEEN 0 AND 9007199254740991 THEN 'score-out-of-range'
                WHEN p_delta = 0 AND p_value IS NULL THEN 'unchanged'
           END
$$;

-- Enters what was recorded, at most one entry of each player, into the boards.
CREATE FUNCTION ledger_enter(
    p_recorded ledger_outcome[], p_source text[], p_action_type text[], p_at timestamptz, p_boards bigint[], p_value bigint[],
    p_metadata jsonb[]
) RETURNS SETOF standings LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    SELECT * FROM standings_enter(
        ARRAY(SELECT o.user_id FROM unnest(p_recorded) o ORDER BY o.ord),
        ARRAY(SELECT p_source[o.ord] FROM unnest(p_recorded) o ORDER BY o.ord),
        ARRAY(SELECT p_action_type[o.ord] FROM unnest(p_recorded) o ORDER BY o.ord),
        ARRAY(SELECT o.delta FROM unnest(p_recorded) o ORDER BY o.ord), p_at, p_boards,
        ARRAY(SELECT p_value[o.ord] FROM unnest(p_recorded) o ORDER BY o.ord),
        ARRAY(SELECT p_metadata[o.ord] FROM unnest(p_recorded) o ORDER BY o.ord));
END
$$;

-- Counts players of whom entries were taken back anew on all their boards: such an entry changes the periods of the one that it takes
-- back, and what is best or latest there may be any other. Each costs a pass over the player's history in the period, so it is
-- done once for a call. Periods are locked in the order of their ids, as by who changes their board.
CREATE FUNCTION ledger_recount(p_user uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM board_periods p
      WHERE p.closed_at IS NULL AND p.id IN (SELECT s.period_id FROM standings s WHERE s.user_id = ANY (p_user))
      ORDER BY p.id FOR SHARE;
    PERFORM standings_recount(s.period_id, s.users)
       FROM (SELECT s.period_id, array_agg(s.user_id) AS users FROM standings s WHERE s.user_id = ANY (p_user)
              GROUP BY s.period_id) s;
END
$$;

-- Each entry is judged alone: one that is refused does not touch the others. `p_target`, where given, replaces the total instead
-- of adding to it. `p_occurred` is only told. `p_reverses`, where given, is the entry of the same player that this one takes back.
-- `p_boards`, where given, are the boards that every entry of the call names: see board_counts. `p_value`, where given, makes the
-- entry a measure, or what takes one back: of no points. `p_metadata` describes it.
--
-- A round is at most one entry of each player, and most calls are one round. Where a player has several, each takes the next
-- round, which sees what those before it wrote: a repeat within the call is a duplicate like any other.
-- For one entry, what a call costs is the number of its statements, of the nodes of their plans, and of the expressions in
-- them: each is set up anew in every transaction. Plans are generic, because planning each call costs more than its work, and
-- go by keys, because whole tables and bitmaps meet every dead version of rows that change all the time.
-- Not compiled: what boards look like to the planner can cost enough for that, and compiling takes a hundred times the work.
CREATE FUNCTION ledger_record(
    p_user uuid[], p_action uuid[], p_source text[], p_action_type text[],
    p_delta bigint[], p_target bigint[], p_actor uuid[], p_reason text[], p_request_id text[],
    p_occurred timestamptz[] DEFAULT NULL, p_reverses bigint[] DEFAULT NULL, p_boards bigint[] DEFAULT NULL,
    p_value bigint[] DEFAULT NULL, p_metadata jsonb[] DEFAULT NULL
) RETURNS SETOF ledger_outcome LANGUAGE plpgsql ROWS 10
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
DECLARE
    v_xid CONSTANT bigint := pg_current_xact_id()::text::bigint;
    v_now timestamptz;
    v_locked bigint;
    v_rounds int[];            -- the round of each entry; NULL: one for all
    v_last int := 1;
    v_recorded bigint[] := '{}';
    v_out ledger_outcome;
    v_round_of ledger_outcome[] := '{}';  -- what a round has recorded, while there are boards to enter it into
    v_told_last ledger_outcome[] := '{}'; -- all of it, where some take back: how players stand is known at the end
    v_boards boolean;
    v_microseconds bigint;     -- v_now, since 1970
BEGIN
    PERFORM FROM user_scores s WHERE s.user_id = ANY (p_user) ORDER BY s.user_id FOR NO KEY UPDATE;
    GET DIAGNOSTICS v_locked = ROW_COUNT;

    -- Read the clock after the locks: a transaction that waited reached the total after the one it waited for.
    v_now := clock_timestamp();

    IF v_locked < cardinality(p_user) THEN
        v_rounds := ARRAY(SELECT row_number() OVER (PARTITION BY e.user_id ORDER BY e.ord)
                            FROM unnest(p_user) WITH ORDINALITY AS e(user_id, ord) ORDER BY e.ord);
        SELECT max(r) INTO v_last FROM unnest(v_rounds) r;
    END IF;

    v_boards := EXISTS (SELECT FROM board_scopes);
    IF v_boards THEN
        v_microseconds := extract(epoch FROM v_now) * 1000000;
    END IF;

    -- Each statement has a new snapshot: it sees what the transactions we waited for have written. What boards show of a
    -- player cannot change until this transaction ends: a change of it waits for the row of the total.
    FOR v_round IN 1 .. v_last LOOP
        IF p_target IS NOT NULL THEN
            p_delta := ARRAY(SELECT CASE WHEN p_target[e.ord] IS NULL THEN p_delta[e.ord]
                                        ELSE greatest(p_target[e.ord], -1) - s.total END
                               FROM unnest(p_user) WITH ORDINALITY AS e(user_id, ord)
                               LEFT JOIN user_scores s ON s.user_id = e.user_id ORDER BY e.ord);
        END IF;

        FOR v_out IN
            WITH raised AS (
                UPDATE user_scores s
                   SET total = s.total + p_delta[e.ord], version = s.version + 1, changed_xid = v_xid,
                       reached_at = CASE WHEN p_delta[e.ord] = 0 THEN s.reached_at ELSE v_now END
                  FROM unnest(p_user) WITH ORDINALITY AS e(user_id, ord), users u
                 WHERE s.user_id = e.user_id AND u.id = e.user_id AND (v_rounds IS NULL OR v_rounds[e.ord] = v_round)
                   AND ledger_refusal(s.total, u.role, p_delta[e.ord], p_value[e.ord], p_reverses[e.ord]) IS NULL
                   AND NOT EXISTS (SELECT FROM score_history h
                                    WHERE h.user_id = e.user_id AND h.action_id = p_action[e.ord])
                RETURNING e.ord, s.user_id, p_action[e.ord] AS action_id, p_delta[e.ord] AS delta, s.total, s.version, s.reached_at,
                          player_visible(u) AS visible, player_name(u) AS username, u.avatar_url, u.region, u.role
            ), written AS (
                INSERT INTO score_history (user_id, action_id, source, action_type, delta, old_total, new_total, version,
                                           actor_id, reason, request_id, created_at, occurred_at, reverses, boards, value, metadata)
                SELECT r.user_id, r.action_id, p_source[r.ord], p_action_type[r.ord], r.delta, r.total - r.delta, r.total,
                       r.version, p_actor[r.ord], p_reason[r.ord], p_request_id[r.ord], v_now, p_occurred[r.ord],
                       p_reverses[r.ord], p_boards, p_value[r.ord], p_metadata[r.ord]
                  FROM raised r
            )
            SELECT r.ord, 'recorded', r.user_id, r.action_id, r.version, r.delta, r.total - r.delta, r.total, v_now,
                   (r.user_id, r.total, r.version, r.reached_at, r.visible, r.username, r.avatar_url, r.region, v_xid, r.user_id,
                    r.role)::player_standings, NULL::json
              FROM raised r
        LOOP
            v_recorded := v_recorded || v_out.ord;
            IF v_boards THEN
                v_round_of := v_round_of || v_out;
            ELSE
                RETURN NEXT v_out;
            END IF;
        END LOOP;

        IF cardinality(v_round_of) = 1 AND p_reverses IS NULL THEN
            v_out := v_round_of[1];
            v_out.places := (
                SELECT json_agg(CASE WHEN s.reached_at = v_now AND s.metadata IS NULL
                                     THEN json_build_array(s.period_id, s.points, v_microseconds, s.shown)
                                     ELSE standing_place(s) END)
                  FROM standings_enter(ARRAY[v_out.user_id], ARRAY[p_source[v_out.ord]], ARRAY[p_action_type[v_out.ord]],
                                       ARRAY[v_out.delta], v_now, p_boards, ARRAY[p_value[v_out.ord]],
                                       ARRAY[p_metadata[v_out.ord]]) s);
            RETURN NEXT v_out;
        ELSIF cardinality(v_round_of) > 0 AND p_reverses IS NULL THEN
            RETURN QUERY
            SELECT o.ord, o.outcome, o.user_id, o.action_id, o.version, o.delta, o.old_total, o.new_total, o.created_at,
                   o.standing, p.places
              FROM unnest(v_round_of) o
              LEFT JOIN (SELECT s.user_id, json_agg(standing_place(s)) AS places
                           FROM ledger_enter(v_round_of, p_source, p_action_type, v_now, p_boards, p_value, p_metadata) s
                          GROUP BY s.user_id) p ON p.user_id = o.user_id;
        ELSIF cardinality(v_round_of) > 0 THEN
            PERFORM ledger_enter(ARRAY(SELECT o FROM unnest(v_round_of) o WHERE p_reverses[o.ord] IS NULL),
                                 p_source, p_action_type, v_now, p_boards, p_value, p_metadata);
            v_told_last := v_told_last || v_round_of;
        END IF;
        v_round_of := '{}';

        IF cardinality(v_recorded) < cardinality(p_user) THEN
            RETURN QUERY
            SELECT e.ord,
                   CASE WHEN p.user_id IS NULL THEN 'unknown-user' WHEN h.id IS NOT NULL THEN 'duplicate'
                        -- Nothing speaks against it any more: the user was made since.
                        ELSE coalesce(ledger_refusal(p.total, p.role, p_delta[e.ord], p_value[e.ord], p_reverses[e.ord]),
                                      'unknown-user') END,
                   e.user_id, p_action[e.ord], h.version, h.delta, h.old_total, h.new_total, h.created_at, p, NULL::json
              FROM unnest(p_user) WITH ORDINALITY AS e(user_id, ord)
              LEFT JOIN player_standings p ON p.user_id = e.user_id
              LEFT JOIN score_history h ON h.user_id = e.user_id AND h.action_id = p_action[e.ord]
             WHERE (v_rounds IS NULL OR v_rounds[e.ord] = v_round) AND e.ord <> ALL (v_recorded);
        END IF;
    END LOOP;

    IF cardinality(v_told_last) > 0 THEN
        PERFORM ledger_recount(ARRAY(SELECT DISTINCT o.user_id FROM unnest(v_told_last) o WHERE p_reverses[o.ord] IS NOT NULL));
        -- With the last entry of each player.
        RETURN QUERY
        SELECT o.ord, o.outcome, o.user_id, o.action_id, o.version, o.delta, o.old_total, o.new_total, o.created_at,
               o.standing, CASE WHEN o.next IS NULL THEN standing_places(o.user_id) END
          FROM (SELECT o.*, lead(o.ord) OVER (PARTITION BY o.user_id ORDER BY o.ord) AS next FROM unnest(v_told_last) o) o;
    END IF;
END
$$;
