-- History is append-only, for code and for a hurried person at a psql prompt alike, with one exception: of a player who was
-- erased, the free text that others wrote about them, and what describes their deeds, is emptied, by `score_history_forget` and by
-- nothing else. No figure, time, id or order can change by it, so every sum stays what it was.
CREATE FUNCTION score_history_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('scoreboard.forgetting', true) = 'on' THEN
        RETURN NULL;  -- each row is judged below
    END IF;
    RAISE EXCEPTION 'score_history is append-only: correct a score with a new entry'
        USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER score_history_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON score_history
    FOR EACH STATEMENT EXECUTE FUNCTION score_history_refuse();

CREATE FUNCTION score_history_refuse_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_emptied score_history := OLD;
BEGIN
    v_emptied.reason := '';
    v_emptied.metadata := NULL;
    IF NEW IS DISTINCT FROM v_emptied
       OR NOT EXISTS (SELECT 1 FROM users u WHERE u.id = OLD.user_id AND u.erased_at IS NOT NULL) THEN
        RAISE EXCEPTION 'score_history is append-only: of erased players reason and metadata can be emptied, and nothing else'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER score_history_append_only_row
    BEFORE UPDATE ON score_history
    FOR EACH ROW EXECUTE FUNCTION score_history_refuse_row();

-- What describes them is on boards, too. Of the region and the attributes that they once had, what no board goes by is emptied; by
-- the others their entries stay where they counted. Returns how many entries were emptied. The parameter is set in the body: a SET
-- clause that names a parameter of one's own takes a superuser.
CREATE FUNCTION score_history_forget(p_user uuid) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_before text := coalesce(current_setting('scoreboard.forgetting', true), '');
    v_emptied bigint;
BEGIN
    PERFORM set_config('scoreboard.forgetting', 'on', true);
    UPDATE score_history SET reason = '', metadata = NULL
     WHERE user_id = p_user AND (reason <> '' OR metadata IS NOT NULL);
    GET DIAGNOSTICS v_emptied = ROW_COUNT;
    PERFORM set_config('scoreboard.forgetting', v_before, true);
    PERFORM FROM user_scores s WHERE s.user_id = p_user FOR NO KEY UPDATE;
    UPDATE standings SET metadata = NULL WHERE user_id = p_user AND metadata IS NOT NULL;
    UPDATE final_standings SET metadata = NULL WHERE user_id = p_user AND metadata IS NOT NULL;
    UPDATE attribute_history a SET value = ''
     WHERE a.user_id = p_user AND a.value <> ''
       AND NOT EXISTS (SELECT FROM boards b WHERE b.attribute = a.name AND b.attribute_value IN ('*', a.value));
    RETURN v_emptied;
END
$$;
