-- The ledger: the only code that changes a total.
--
-- Arrays of entries in, one row per entry out. Locks are taken on user_scores in user order, by every writer, so that
-- writers over the same players wait for each other and never in a circle. However many the entries, the statements are six:
-- the loop between them only adds up.

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
    standing player_standings  -- the player's, after the whole call
);

-- Each entry is judged alone: one that would leave 0 … 2^53−1 does not touch the others. A repeat within the call answers
-- with what became of the first. `p_target`, where given, replaces the total instead of adding to it. `p_occurred` is only told.
-- No entry of any source raises the total of staff (every role but player); what they had before they became staff stays, and
-- can be lowered.
-- Plans are generic, because planning each call costs more than its work, and go by keys, because whole tables and bitmaps
-- meet every dead version of rows that change all the time.
CREATE FUNCTION ledger_record(
    p_user uuid[], p_action uuid[], p_source text[], p_action_type text[],
    p_delta bigint[], p_target bigint[], p_actor uuid[], p_reason text[], p_request_id text[],
    p_occurred timestamptz[] DEFAULT NULL
) RETURNS SETOF ledger_outcome LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    v_most CONSTANT bigint := 9007199254740991;
    v_now timestamptz;
    v_entry record;
    v_player uuid;           -- whose entries the loop is at, with the total and the version they have come to
    v_total bigint;
    v_version bigint;
    v_actions uuid[];        -- and what they were, with their positions
    v_ords bigint[];
    v_first bigint;          -- position of the first entry with this one's action
    v_next bigint;
    v_one ledger_outcome;
    v_outcomes ledger_outcome[];  -- by position
BEGIN
    -- A first entry makes the row. In user order, like every lock here. Looking first is half as dear as a statement that
    -- could insert and does not.
    IF EXISTS (SELECT FROM unnest(p_user) AS e(user_id)
                WHERE NOT EXISTS (SELECT FROM user_scores s WHERE s.user_id = e.user_id)) THEN
        INSERT INTO user_scores (user_id, total, version, reached_at, changed_xid)
        SELECT u.id, 0, 0, now(), pg_current_xact_id()::text::bigint
          FROM users u
         WHERE u.id = ANY (p_user)
           AND NOT EXISTS (SELECT FROM user_scores s WHERE s.user_id = u.id)
         ORDER BY u.id
            ON CONFLICT DO NOTHING;
    END IF;

    PERFORM 1 FROM user_scores s WHERE s.user_id = ANY (p_user) ORDER BY s.user_id FOR NO KEY UPDATE;

    -- Read the clock after the locks: a transaction that waited reached the total after the one it waited for.
    v_now := clock_timestamp();

    -- A new statement, so a new snapshot: it sees what the transactions we waited for have written. No total is further than
    -- 2^53 from another: a larger delta is clipped, so that no sum overflows.
    FOR v_entry IN
        SELECT e.ord, e.user_id, e.action_id, e.target,
               greatest(least(e.delta, v_most + 1), -v_most - 1) AS delta,
               s.user_id AS player, s.total, s.version, u.role <> 'player' AS staff,
               h.version AS h_version, h.delta AS h_delta, h.old_total, h.new_total, h.created_at
          FROM unnest(p_user, p_action, p_delta, p_target) WITH ORDINALITY
            AS e(user_id, action_id, delta, target, ord)
          LEFT JOIN user_scores s ON s.user_id = e.user_id
          LEFT JOIN users u ON u.id = e.user_id
          LEFT JOIN score_history h ON h.user_id = e.user_id AND h.action_id = e.action_id
         ORDER BY e.user_id, e.ord
    LOOP
        IF v_entry.user_id IS DISTINCT FROM v_player THEN
            v_player := v_entry.user_id;
            v_total := v_entry.total;
            v_version := v_entry.version;
            v_actions := '{}';
            v_ords := '{}';
        END IF;
        v_first := v_ords[array_position(v_actions, v_entry.action_id)];
        v_next := coalesce(v_entry.target, v_total + v_entry.delta);
        v_one := (v_entry.ord, NULL, v_entry.user_id, v_entry.action_id, NULL, NULL, NULL, NULL, NULL, NULL);
        IF v_entry.player IS NULL THEN
            v_one.outcome := 'unknown-user';
        ELSIF v_entry.h_version IS NOT NULL THEN
            v_one.outcome := 'duplicate';
            v_one.version := v_entry.h_version;
            v_one.delta := v_entry.h_delta;
            v_one.old_total := v_entry.old_total;
            v_one.new_total := v_entry.new_total;
            v_one.created_at := v_entry.created_at;
        ELSIF v_first IS NOT NULL THEN
            v_one := v_outcomes[v_first];
            v_one.ord := v_entry.ord;
            IF v_one.outcome = 'recorded' THEN
                v_one.outcome := 'duplicate';
            END IF;
        ELSIF v_entry.staff AND v_next > v_total THEN
            v_one.outcome := 'staff';
        ELSIF v_next NOT BETWEEN 0 AND v_most THEN
            v_one.outcome := 'score-out-of-range';
        ELSIF v_next = v_total THEN
            v_one.outcome := 'unchanged';
        ELSE
            v_version := v_version + 1;
            v_one.outcome := 'recorded';
            v_one.version := v_version;
            v_one.delta := v_next - v_total;
            v_one.old_total := v_total;
            v_one.new_total := v_next;
            v_one.created_at := v_now;
            v_total := v_next;
        END IF;
        v_outcomes[v_entry.ord] := v_one;
        v_actions := v_actions || v_entry.action_id;
        v_ords := v_ords || v_entry.ord;
    END LOOP;

    INSERT INTO score_history (user_id, action_id, source, action_type, delta, old_total, new_total, version,
                               actor_id, reason, request_id, created_at, occurred_at)
    SELECT o.user_id, o.action_id, e.source, e.action_type, o.delta, o.old_total, o.new_total, o.version,
           e.actor, e.reason, e.request_id, o.created_at, p_occurred[o.ord]
      FROM unnest(v_outcomes) o
      JOIN unnest(p_source, p_action_type, p_actor, p_reason, p_request_id) WITH ORDINALITY
        AS e(source, action_type, actor, reason, request_id, ord) ON e.ord = o.ord
     WHERE o.outcome = 'recorded'
     ORDER BY o.ord;

    UPDATE user_scores s
       SET total = o.new_total, version = o.version, reached_at = v_now,
           changed_xid = pg_current_xact_id()::text::bigint
      FROM (SELECT DISTINCT ON (o.user_id) o.user_id, o.new_total, o.version
              FROM unnest(v_outcomes) o WHERE o.outcome = 'recorded'
             ORDER BY o.user_id, o.version DESC) o
     WHERE s.user_id = o.user_id;

    RETURN QUERY
    SELECT o.ord, o.outcome, o.user_id, o.action_id, o.version, o.delta, o.old_total, o.new_total, o.created_at, p
      FROM unnest(v_outcomes) o LEFT JOIN player_standings p ON p.user_id = o.user_id
     ORDER BY o.ord;
END
$$;
