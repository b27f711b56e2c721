-- Boards: which entries belong to them, in which windows of time, and who is on which part of them.

-- When a day begins in a zone: at midnight, at the first of two where clocks are set back over it, and where they are set forward
-- over it at the first moment after it.
CREATE FUNCTION day_begins(p_day date, p_zone text) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT min(m.at)
      FROM unnest(ARRAY[interval '0', '30 minutes', '1 hour', '2 hours']) AS earlier
     CROSS JOIN LATERAL (SELECT (p_day::timestamp AT TIME ZONE p_zone) - earlier AS at) m
     WHERE m.at AT TIME ZONE p_zone >= p_day
$$;

-- Of a board the period that holds this moment; none while it is not open. Days begin at midnight in the board's zone, so that
-- one has 23 or 25 hours where clocks change.
CREATE FUNCTION board_window(b boards, p_at timestamptz, OUT key text, OUT starts_at timestamptz, OUT ends_at timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_day date := (p_at AT TIME ZONE b.zone)::date;
    v_from date;
    v_to date;
BEGIN
    IF p_at < b.opens_at OR p_at >= b.closes_at THEN
        RETURN;
    END IF;
    -- Clocks that are set back over midnight show the day before once more. It is over.
    IF p_at >= day_begins(v_day + 1, b.zone) THEN
        v_day := v_day + 1;
    END IF;
    CASE b."window"
        WHEN 'daily' THEN
            v_from := v_day;
            v_to := v_day + 1;
            key := to_char(v_from, 'YYYY-MM-DD');
        WHEN 'weekly' THEN
            v_from := date_trunc('week', v_day)::date;
            v_to := v_from + 7;
            key := to_char(v_from, 'IYYY-"W"IW');
        WHEN 'monthly' THEN
            v_from := date_trunc('month', v_day)::date;
            v_to := (v_from + interval '1 month')::date;
            key := to_char(v_from, 'YYYY-MM');
        WHEN 'yearly' THEN
            v_from := date_trunc('year', v_day)::date;
            v_to := (v_from + interval '1 year')::date;
            key := to_char(v_from, 'YYYY');
        WHEN 'days' THEN
            v_from := b.starts_on + floor((v_day - b.starts_on)::numeric / b.every_days)::int * b.every_days;
            v_to := v_from + b.every_days;
            key := to_char(v_from, 'YYYY-MM-DD');
        ELSE
            key := 'all';
            starts_at := b.opens_at;
            ends_at := b.closes_at;
            RETURN;
    END CASE;
    starts_at := greatest(day_begins(v_from, b.zone), b.opens_at);
    ends_at := least(day_begins(v_to, b.zone), b.closes_at);
END
$$;

-- What a player belongs to, by one of the values the player has: everyone, the players with that value, and the part of a board
-- that is for it. A value that cannot be an address has no part.
CREATE FUNCTION player_groups(u users) RETURNS TABLE (who text, part text) LANGUAGE sql IMMUTABLE AS $$
    SELECT '', ''
     UNION ALL
    SELECT g.who, g.part
      FROM (SELECT 'region' AS name, u.region::text AS value WHERE u.region <> ''
             UNION ALL SELECT a.key, a.value FROM jsonb_each_text(u.attributes) a WHERE u.attributes <> '{}') v
     CROSS JOIN LATERAL (SELECT v.name || '=' || v.value, ''
                          UNION ALL SELECT v.name || '=*', lower(v.value)
                                     WHERE lower(v.value) ~ '^[a-z0-9-]{1,32}$') AS g(who, part)
$$;

-- Whether an entry counts for a board. What staff give or take without a deed (a bonus, an adjustment, a correction of nothing in
-- particular) is no entry that could be the best or the latest. It names the boards that it counts on (`p_boards`), each in
-- the period that holds it, or else belongs to no period and counts where all points of all time are summed. A measure is no
-- points: it counts where its type is named, and is never summed up.
CREATE FUNCTION board_counts(b boards, p_source text, p_action_type text, p_boards bigint[], p_measure boolean)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (b.action_types = '{}' OR p_action_type = ANY (b.action_types))
       AND (b.sources = '{}' OR p_source = ANY (b.sources))
       AND (NOT p_measure OR b.value <> 'sum' AND b.action_types <> '{}')
       AND (p_source IN ('action', 'award')
            OR b.value = 'sum' AND CASE WHEN p_boards IS NULL THEN b."window" = 'all' ELSE b.id = ANY (p_boards) END)
$$;

-- Once in a transaction, and at its end: who waits for the one row of the version holds up nobody who could be waited for.
CREATE FUNCTION boards_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM boards_version WHERE xmin = pg_current_xact_id()::xid) THEN
        -- Never a number that was used before, even after a backup was restored.
        INSERT INTO boards_version AS v (id, version) VALUES (1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
            ON CONFLICT (id) DO UPDATE SET version = greatest(v.version + 1, excluded.version);
    END IF;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER board_periods_version AFTER INSERT OR UPDATE OR DELETE ON board_periods
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION boards_changed();
CREATE CONSTRAINT TRIGGER boards_version AFTER INSERT OR UPDATE OR DELETE ON boards
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION boards_changed();

-- Whether a board freezes in a period, and is not revealed yet.
CREATE FUNCTION board_freezes(b boards, p_starts_at timestamptz, p_ends_at timestamptz) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT b.freeze_at IS NOT NULL AND b.freeze_at IS DISTINCT FROM b.revealed
       AND b.freeze_at >= coalesce(p_starts_at, '-infinity') AND b.freeze_at < coalesce(p_ends_at, 'infinity')
$$;

-- Periods of one part of a board: from `p_from` on, or from where those that it has end, so that none is missing however long
-- no process made any, up to those that begin within eight days; one ahead at least. One that begins in a minute or later needs
-- no filling: whoever scores in it sees it. Repeating it adds what is missing. Where a period of an earlier rule was closed under
-- the key, it is told apart by a number: 2026-11-26.2.
CREATE FUNCTION board_open(b boards, p_part text, p_from timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_now CONSTANT timestamptz := clock_timestamp();
    v_at timestamptz := coalesce(p_from, (SELECT least(max(p.ends_at), v_now) FROM board_periods p
                                           WHERE p.board_id = b.id AND p.part = p_part AND p.ends_at IS NOT NULL));
    v_window record;
    v_frozen boolean;
    v_ahead int := -1;
    v_before bigint;
BEGIN
    v_at := greatest(coalesce(v_at, v_now), b.opens_at);
    WHILE v_at IS NOT NULL AND (v_ahead < 1 OR v_at < v_now + interval '8 days') LOOP
        v_window := board_window(b, v_at);
        EXIT WHEN v_window.key IS NULL;
        SELECT count(*) INTO v_before FROM board_periods p
         WHERE p.board_id = b.id AND p.part = p_part AND split_part(p.key, '.', 1) = v_window.key AND NOT p.truth
           AND p.closed_at IS NOT NULL AND p.ends_at <= v_at;
        IF v_before > 0 THEN
            v_window.key := v_window.key || '.' || v_before + 1;
        END IF;
        v_frozen := board_freezes(b, v_window.starts_at, v_window.ends_at);
        INSERT INTO board_periods (board_id, part, key, starts_at, ends_at, filled_at, truth, counts_until)
        SELECT b.id, p_part, v_window.key, v_window.starts_at, v_window.ends_at,
               CASE WHEN v_window.starts_at > v_now + interval '1 minute' AND NOT b.paused THEN v_now END,
               t, CASE WHEN v_frozen AND NOT t THEN b.freeze_at END
          FROM unnest(CASE WHEN v_frozen THEN ARRAY[false, true] ELSE ARRAY[false] END) t
         WHERE NOT EXISTS (SELECT FROM board_periods p WHERE p.board_id = b.id AND p.part = p_part AND p.key = v_window.key)
            ON CONFLICT DO NOTHING;
        v_ahead := v_ahead + (v_window.ends_at > v_now)::int;
        v_at := v_window.ends_at;
    END LOOP;
END
$$;

-- The same for every part that some player's value makes.
CREATE FUNCTION board_open_parts(b boards, p_from timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF b.attribute_value <> '*' THEN
        PERFORM board_open(b, '', p_from);
        RETURN;
    END IF;
    PERFORM board_open(b, p.part, p_from)
       FROM (SELECT DISTINCT g.part FROM attribute_history h
              CROSS JOIN LATERAL (SELECT lower(h.value) AS part) g
              WHERE h.name = b.attribute AND g.part ~ '^[a-z0-9-]{1,32}$'
              ORDER BY g.part) p;
END
$$;

-- The transactions of others that may hold an entry: who enters one locks rows of `user_scores` before the clock is read, and
-- holds a lock on the table until it ends. One that is not among these reads the clock later than now.
CREATE FUNCTION scoring_transactions() RETURNS SETOF text LANGUAGE sql VOLATILE AS $$
    SELECT l.virtualtransaction FROM pg_locks l
     WHERE l.locktype = 'relation' AND l.relation = 'user_scores'::regclass AND l.mode IN ('RowShareLock', 'RowExclusiveLock')
       AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
       AND l.pid IS DISTINCT FROM pg_backend_pid()
$$;

-- The open periods of a board, in the order in which a correction locks them: neither waits for the other in a circle.
CREATE FUNCTION board_lock_periods(p_board bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM board_periods p WHERE p.board_id = p_board AND p.closed_at IS NULL ORDER BY p.id FOR UPDATE;
END
$$;

-- Closes what is over before its rule becomes another, as `periods.close_ended` would have. Fails like a lock that is not to be had
-- while a transaction may still hold an entry, or while a period is not filled yet: so that the change can be tried again.
-- Of a paused board, whose periods are not filled, it closes none.
CREATE FUNCTION board_close_ended(b boards) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_ended bigint[] := ARRAY(SELECT p.id FROM board_periods p
                               WHERE p.board_id = b.id AND p.closed_at IS NULL AND p.ends_at <= clock_timestamp()
                                 AND NOT p.truth AND p.counts_until IS NULL ORDER BY p.ends_at, p.id);
    v_scoring CONSTANT text[] := ARRAY(SELECT scoring_transactions());
    v_until CONSTANT timestamptz := clock_timestamp() + current_setting('lock_timeout')::interval;
    v_late boolean := false;
BEGIN
    IF EXISTS (SELECT FROM board_periods p WHERE p.board_id = b.id AND p.closed_at IS NULL AND p.ends_at <= clock_timestamp()
                                             AND p.counts_until IS NOT NULL) THEN
        RAISE EXCEPTION 'a period of board % is over and not revealed yet', b.slug USING ERRCODE = 'lock_not_available';
    END IF;
    IF v_ended = '{}' OR b.paused THEN
        RETURN;
    END IF;
    WHILE EXISTS (SELECT FROM scoring_transactions() t WHERE t = ANY (v_scoring)) LOOP
        v_late := clock_timestamp() > v_until;
        EXIT WHEN v_late;
        PERFORM pg_sleep(0.05);
    END LOOP;
    IF v_late OR EXISTS (SELECT FROM board_periods p WHERE p.id = ANY (v_ended) AND p.filled_at IS NULL) THEN
        RAISE EXCEPTION 'a period of board % is over and not closed yet: try again', b.slug USING ERRCODE = 'lock_not_available';
    END IF;
    PERFORM board_lock_periods(b.id);
    PERFORM period_close(p, b) FROM unnest(v_ended) p;
END
$$;

-- What decides how a board comes out.
CREATE FUNCTION board_rule(b boards) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT to_jsonb(b) - ARRAY['slug', 'title', 'description', 'visibility', 'paused', 'created_at', 'revealed', 'tiers',
                               'close', 'archive']
$$;

-- A rule that is made or changed is applied anew: its open periods go, with all that was counted in them, and others, under new
-- ids, are filled from the history. So points already given count by the new rule. What is closed, or over, stays as it came
-- out, as long as there is the board. A pause changes no rule: its periods stay, under new ids, to be filled when it is over, and a
-- revealing goes on then. What ended during a pause was not counted by any rule yet, and is by the new one.
CREATE FUNCTION board_applied() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_pause CONSTANT boolean := TG_OP = 'UPDATE' AND board_rule(OLD) = board_rule(NEW);
    v_from timestamptz := clock_timestamp();
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM board_scopes WHERE board_id = OLD.id;
        DELETE FROM board_reveals WHERE board_id = OLD.id AND NOT v_pause;
        DELETE FROM board_checkpoints WHERE board_id = OLD.id AND NOT v_pause;
    END IF;
    IF TG_OP = 'DELETE' THEN
        -- First of all: what is written of a period that is being closed is seen from here on, and no other is closed.
        PERFORM FROM board_periods p WHERE p.board_id = OLD.id ORDER BY p.id FOR UPDATE;
        DELETE FROM player_notices n USING board_periods p WHERE p.id = n.period_id AND p.board_id = OLD.id;
        DELETE FROM final_standings f USING board_periods p WHERE p.id = f.period_id AND p.board_id = OLD.id;
        DELETE FROM board_periods WHERE board_id = OLD.id;
        DELETE FROM board_entrants WHERE board_id = OLD.id;
        RETURN NULL;
    END IF;
    IF v_pause THEN
        PERFORM board_lock_periods(OLD.id);
        UPDATE board_periods SET id = DEFAULT, filled_at = NULL WHERE board_id = OLD.id AND closed_at IS NULL;
    ELSIF TG_OP = 'UPDATE' THEN
        PERFORM board_close_ended(OLD);
        SELECT least(clock_timestamp(), min(coalesce(p.starts_at, p.ends_at - interval '1 microsecond'))) INTO v_from
          FROM board_periods p WHERE p.board_id = OLD.id AND p.closed_at IS NULL AND p.ends_at <= clock_timestamp();
        PERFORM board_lock_periods(OLD.id);
        DELETE FROM board_periods WHERE board_id = OLD.id AND closed_at IS NULL;
    END IF;
    IF NOT NEW.paused THEN
        INSERT INTO board_scopes (board_id, who, action_type)
        SELECT NEW.id, CASE WHEN NEW.attribute = '' THEN '' ELSE NEW.attribute || '=' || NEW.attribute_value END, t
          FROM unnest(CASE WHEN NEW.action_types = '{}' THEN ARRAY[''] ELSE NEW.action_types END) t
            ON CONFLICT DO NOTHING;
    END IF;
    PERFORM board_open_parts(NEW, CASE WHEN NOT v_pause THEN v_from END);
    RETURN NULL;
END
$$;

CREATE TRIGGER boards_applied AFTER INSERT OR DELETE ON boards FOR EACH ROW EXECUTE FUNCTION board_applied();
CREATE TRIGGER boards_reapplied AFTER UPDATE ON boards FOR EACH ROW
    WHEN ((board_rule(OLD), OLD.paused) IS DISTINCT FROM (board_rule(NEW), NEW.paused))
    EXECUTE FUNCTION board_applied();

-- Region and attributes as they were. The caller holds the players' totals, and has raised their versions: an entry is before the
-- change or after it, as its own version says, whatever the clock said. New values may open parts of boards.
CREATE FUNCTION attribute_history_add(p_user uuid[], p_old_region text[], p_old jsonb[], p_region text[], p_new jsonb[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_now CONSTANT timestamptz := clock_timestamp();
    v_new record;
BEGIN
    FOR v_new IN
        WITH pairs AS (
            SELECT e.user_id, e.old || jsonb_build_object('region', e.old_region) AS old,
                   e.new || jsonb_build_object('region', e.region) AS new
              FROM unnest(p_user, p_old_region, p_old, p_region, p_new) AS e(user_id, old_region, old, region, new)
        ), written AS (
            INSERT INTO attribute_history (user_id, name, version, since, value)
            SELECT p.user_id, k.name, s.version, v_now, coalesce(p.new ->> k.name, '')
              FROM pairs p JOIN user_scores s ON s.user_id = p.user_id
             CROSS JOIN LATERAL jsonb_object_keys(p.old || p.new) AS k(name)
             WHERE coalesce(p.old ->> k.name, '') <> coalesce(p.new ->> k.name, '')
            RETURNING name, lower(value) AS part
        )
        SELECT DISTINCT w.name, w.part, b AS board
          FROM written w JOIN boards b ON b.attribute = w.name AND b.attribute_value = '*'
         WHERE w.part ~ '^[a-z0-9-]{1,32}$'
           AND NOT EXISTS (SELECT FROM board_periods p WHERE p.board_id = b.id AND p.part = w.part AND p.closed_at IS NULL)
         ORDER BY w.part, b
    LOOP
        PERFORM board_open(v_new.board, v_new.part, NULL);
        -- No player had this value before: there is nothing to fill it with.
        UPDATE board_periods p SET filled_at = v_now
         WHERE p.board_id = (v_new.board).id AND p.part = v_new.part AND p.filled_at IS NULL
           AND NOT (v_new.board).paused
           AND NOT EXISTS (SELECT FROM attribute_history h
                            WHERE h.name = v_new.name AND lower(h.value) = v_new.part AND h.since < v_now);
    END LOOP;
END
$$;

