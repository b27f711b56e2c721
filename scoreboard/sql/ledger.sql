-- The ledger: the only code that changes a total.
--
-- Set-based: arrays of entries in, one row per entry out, in the order they came. Locks are taken on user_scores in
-- user order, by every writer, so that writers over the same players wait for each other and never in a circle.

-- Carries a running total over one player's entries of one call. An entry that would leave 0 … 2^53−1 is passed over,
-- so that each is judged alone. `target`, when given, replaces the total instead of adding to it.
CREATE FUNCTION ledger_carry_step(carried bigint, start bigint, delta bigint, target bigint)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN coalesce(target, coalesce(carried, start) + delta) BETWEEN 0 AND 9007199254740991
                THEN coalesce(target, coalesce(carried, start) + delta)
                ELSE coalesce(carried, start) END
$$;

CREATE AGGREGATE ledger_carry(start bigint, delta bigint, target bigint) (
    SFUNC = ledger_carry_step, STYPE = bigint
);

CREATE TYPE ledger_outcome AS (
    ord bigint,              -- position in the input arrays, from 1
    outcome text,            -- recorded | duplicate | unchanged | score-out-of-range | unknown-user
    user_id uuid,
    action_id uuid,
    delta bigint,            -- of the recorded entry; of the first one when duplicate
    old_total bigint,
    new_total bigint,
    created_at timestamptz,
    -- the player's standing after the whole call
    total bigint,
    version bigint,
    reached_at timestamptz,
    visible boolean,
    username text,
    avatar_url text,
    region text
);

CREATE FUNCTION ledger_record(
    p_user uuid[], p_action uuid[], p_source text[], p_action_type text[],
    p_delta bigint[], p_target bigint[], p_actor uuid[], p_reason text[], p_request_id text[]
) RETURNS SETOF ledger_outcome LANGUAGE plpgsql AS $$
DECLARE
    v_now timestamptz;
BEGIN
    -- A first entry makes the row. In user order, like every lock here.
    INSERT INTO user_scores (user_id, total, version, reached_at, changed_xid)
    SELECT u.id, 0, 0, now(), pg_current_xact_id()::text::bigint
      FROM users u
     WHERE u.id = ANY (p_user)
       AND NOT EXISTS (SELECT 1 FROM user_scores s WHERE s.user_id = u.id)
     ORDER BY u.id
        ON CONFLICT DO NOTHING;

    PERFORM 1 FROM user_scores s WHERE s.user_id = ANY (p_user) ORDER BY s.user_id FOR NO KEY UPDATE;

    -- Read the clock after the locks: whoever waited reached the total later than whoever it waited for.
    v_now := clock_timestamp();

    -- A new statement, so a new snapshot: it sees what the transactions we waited for have written, in the history
    -- (duplicates), in the totals and in the profiles.
    RETURN QUERY
    WITH entry AS (
        -- No total is further than 2^53 from another: more than that is clipped, so that no sum overflows bigint.
        SELECT e.user_id, e.action_id, e.source, e.action_type,
               greatest(least(e.delta, 9007199254740992), -9007199254740992) AS delta, e.target, e.actor, e.reason,
               e.request_id, e.ord
          FROM unnest(p_user, p_action, p_source, p_action_type, p_delta, p_target, p_actor, p_reason,
                      p_request_id)
            WITH ORDINALITY AS e(user_id, action_id, source, action_type, delta, target, actor, reason, request_id, ord)
    ), judged AS (
        SELECT e.*, s.total AS start, s.version AS start_version,
               h.delta AS first_delta, h.old_total AS first_old, h.new_total AS first_new, h.created_at AS first_at,
               CASE WHEN s.user_id IS NULL THEN 'unknown-user'
                    WHEN h.id IS NOT NULL THEN 'duplicate'
                    WHEN row_number() OVER (PARTITION BY e.user_id, e.action_id ORDER BY e.ord) > 1 THEN 'duplicate'
               END AS refusal
          FROM entry e
          LEFT JOIN user_scores s ON s.user_id = e.user_id
          LEFT JOIN score_history h ON h.user_id = e.user_id AND h.action_id = e.action_id
    ), carried AS (
        SELECT j.*, ledger_carry(j.start, j.delta, j.target)
                    OVER (PARTITION BY j.user_id ORDER BY j.ord ROWS UNBOUNDED PRECEDING) AS after
          FROM judged j WHERE j.refusal IS NULL
    ), stepped AS (
        SELECT c.*, lag(c.after, 1, c.start) OVER (PARTITION BY c.user_id ORDER BY c.ord) AS before
          FROM carried c
    ), accepted AS (
        SELECT t.*, t.start_version + row_number() OVER (PARTITION BY t.user_id ORDER BY t.ord) AS next_version
          FROM stepped t WHERE t.after <> t.before
    ), appended AS (
        INSERT INTO score_history AS h (user_id, action_id, source, action_type, delta, old_total, new_total, version,
                                        actor_id, reason, request_id, created_at)
        SELECT a.user_id, a.action_id, a.source, a.action_type, a.after - a.before, a.before, a.after, a.next_version,
               a.actor, a.reason, a.request_id, v_now
          FROM accepted a ORDER BY a.ord
        RETURNING h.user_id, h.action_id, h.delta, h.old_total, h.new_total, h.version
    ), raised AS (
        UPDATE user_scores s
           SET total = f.after, version = f.next_version, reached_at = v_now,
               changed_xid = pg_current_xact_id()::text::bigint
          FROM (SELECT DISTINCT ON (a.user_id) a.user_id, a.after, a.next_version
                  FROM accepted a ORDER BY a.user_id, a.ord DESC) f
         WHERE s.user_id = f.user_id
        RETURNING s.user_id, s.total, s.version, s.reached_at
    )
    SELECT j.ord,
           coalesce(j.refusal,
                    CASE WHEN p.user_id IS NOT NULL THEN 'recorded'
                         WHEN coalesce(j.target, t.before + j.delta) BETWEEN 0 AND 9007199254740991 THEN 'unchanged'
                         ELSE 'score-out-of-range' END),
           j.user_id, j.action_id,
           coalesce(j.first_delta, p.delta), coalesce(j.first_old, p.old_total), coalesce(j.first_new, p.new_total),
           coalesce(j.first_at, CASE WHEN p.user_id IS NOT NULL THEN v_now END),
           coalesce(r.total, s.total), coalesce(r.version, s.version), coalesce(r.reached_at, s.reached_at),
           u.is_active AND NOT u.is_hidden, u.username::text, u.avatar_url::text, u.region::text
      FROM judged j
      LEFT JOIN stepped t ON t.ord = j.ord
      LEFT JOIN appended p ON p.user_id = j.user_id AND p.action_id = j.action_id
      LEFT JOIN raised r ON r.user_id = j.user_id
      LEFT JOIN user_scores s ON s.user_id = j.user_id
      LEFT JOIN users u ON u.id = j.user_id
     ORDER BY j.ord;
END
$$;
