-- The ledger: the only code that changes a total.
--
-- Arrays of entries in, one row per entry out. Locks are taken on user_scores in user order, by every writer, so that
-- writers over the same players wait for each other and never in a circle. However many the entries, the statements are
-- the same few: the loop between them only judges and adds up.

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
    standing player_standings  -- the player's, after this entry and those of the call before it
);

-- Each entry is judged alone: one that would leave 0 … 2^53−1 does not touch the others. A repeat within the call answers
-- with what became of the first. `p_target`, where given, replaces the total instead of adding to it. `p_occurred` is only told.
-- No entry of any source raises the total of staff (every role but player); what they had before they became staff stays, and
-- can be lowered.
-- Plans are generic, because planning each call costs more than its work, and go by keys, because whole tables and bitmaps
-- meet every dead version of rows that change all the time. For one entry, what a call costs is the number of its statements, of
-- the nodes of their plans, and of the expressions that the loop evaluates: each is set up anew in every transaction.
CREATE FUNCTION ledger_record(
    p_user uuid[], p_action uuid[], p_source text[], p_action_type text[],
    p_delta bigint[], p_target bigint[], p_actor uuid[], p_reason text[], p_request_id text[],
    p_occurred timestamptz[] DEFAULT NULL
) RETURNS SETOF ledger_outcome LANGUAGE plpgsql ROWS 10
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    v_most CONSTANT bigint := 9007199254740991;
    v_xid CONSTANT bigint := pg_current_xact_id()::text::bigint;
    v_rows bigint;
    v_now timestamptz;
    v_entry record;
    v_standing player_standings;   -- of the player whose entries the loop is at, after those it has seen
    v_actions uuid[];              -- which of them were recorded
    v_old bigint;
    v_new bigint;
    v_outcome text;
    v_one ledger_outcome;
    v_recorded ledger_outcome[];   -- in the order of players, and of each player's entries
    v_raised ledger_outcome[];     -- the last one of each player
    v_players int := 0;            -- how many there are
BEGIN
    -- A first entry makes the row. In user order, like every lock here. Looking first is cheaper than a statement that could
    -- insert and does not; where a player has several entries there are fewer rows than entries, and nothing to insert.
    PERFORM FROM user_scores s WHERE s.user_id = ANY (p_user);
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    IF v_rows < cardinality(p_user) THEN
        INSERT INTO user_scores (user_id, total, version, reached_at, changed_xid)
        SELECT u.id, 0, 0, now(), v_xid
          FROM users u
         WHERE u.id = ANY (p_user)
           AND NOT EXISTS (SELECT FROM user_scores s WHERE s.user_id = u.id)
         ORDER BY u.id
            ON CONFLICT DO NOTHING;
    END IF;

    PERFORM FROM user_scores s WHERE s.user_id = ANY (p_user) ORDER BY s.user_id FOR NO KEY UPDATE;

    -- Read the clock after the locks: a transaction that waited reached the total after the one it waited for.
    v_now := clock_timestamp();

    -- A new statement, so a new snapshot: it sees what the transactions we waited for have written. What boards show of a
    -- player cannot change until this transaction ends: a change of it waits for the row of the total.
    FOR v_entry IN
        SELECT e.ord, e.user_id, p_action[e.ord] AS action_id, p AS standing, p.role <> 'player' AS staff,
               h.version, h.delta, h.old_total, h.new_total, h.created_at
          FROM unnest(p_user) WITH ORDINALITY AS e(user_id, ord)
          LEFT JOIN player_standings p ON p.user_id = e.user_id
          LEFT JOIN score_history h ON h.user_id = e.user_id AND h.action_id = p_action[e.ord]
         ORDER BY e.user_id, e.ord
    LOOP
        IF v_entry.user_id IS DISTINCT FROM v_standing.user_id THEN
            v_standing := v_entry.standing;
            v_actions := '{}';
        END IF;
        -- No total is further than 2^53 from another: a larger delta is clipped, so that no sum overflows.
        v_old := v_standing.total;
        v_new := coalesce(p_target[v_entry.ord], v_old + greatest(least(p_delta[v_entry.ord], v_most + 1), -v_most - 1));
        v_outcome := CASE
            WHEN v_old IS NULL THEN 'unknown-user'
            WHEN v_entry.version IS NOT NULL THEN 'duplicate'
            WHEN v_entry.action_id = ANY (v_actions) THEN 'repeated'
            WHEN v_entry.staff AND v_new > v_old THEN 'staff'
            WHEN v_new NOT BETWEEN 0 AND v_most THEN 'score-out-of-range'
            WHEN v_new = v_old THEN 'unchanged'
            ELSE 'recorded'
        END;
        IF v_outcome = 'recorded' THEN
            IF v_actions = '{}' THEN
                v_players := v_players + 1;
            END IF;
            v_actions := v_actions || v_entry.action_id;
            v_standing.total := v_new;
            v_standing.version := v_standing.version + 1;
            v_standing.reached_at := v_now;
            v_standing.changed_xid := v_xid;
            v_one := (v_entry.ord, v_outcome, v_entry.user_id, v_entry.action_id, v_standing.version,
                      v_new - v_old, v_old, v_new, v_now, v_standing);
            v_recorded := v_recorded || v_one;
            v_raised[v_players] := v_one;
        ELSIF v_outcome = 'repeated' THEN
            SELECT r.* INTO v_one FROM unnest(v_recorded) r
             WHERE r.user_id = v_entry.user_id AND r.action_id = v_entry.action_id;
            v_one.ord := v_entry.ord;
            v_one.outcome := 'duplicate';
            v_one.standing := v_standing;
        ELSE
            v_one := (v_entry.ord, v_outcome, v_entry.user_id, v_entry.action_id, v_entry.version,
                      v_entry.delta, v_entry.old_total, v_entry.new_total, v_entry.created_at, v_standing);
        END IF;
        RETURN NEXT v_one;
    END LOOP;

    INSERT INTO score_history (user_id, action_id, source, action_type, delta, old_total, new_total, version,
                               actor_id, reason, request_id, created_at, occurred_at)
    SELECT o.user_id, o.action_id, p_source[o.ord], p_action_type[o.ord], o.delta, o.old_total, o.new_total, o.version,
           p_actor[o.ord], p_reason[o.ord], p_request_id[o.ord], o.created_at, p_occurred[o.ord]
      FROM unnest(v_recorded) o;

    UPDATE user_scores s
       SET total = o.new_total, version = o.version, reached_at = v_now, changed_xid = v_xid
      FROM unnest(v_raised) o
     WHERE s.user_id = o.user_id;
END
$$;
