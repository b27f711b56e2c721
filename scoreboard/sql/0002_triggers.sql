-- History is append-only, for code and for a hurried person at a psql prompt alike.
CREATE FUNCTION score_history_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'score_history is append-only: correct a score with a new entry'
        USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER score_history_append_only
    BEFORE UPDATE OR DELETE ON score_history
    FOR EACH STATEMENT EXECUTE FUNCTION score_history_refuse();

-- A change of anything a board shows of a player raises the player's version, whoever makes it: the sweep then finds it
-- even if the process that made it dies before telling Redis. One statement-level trigger, so that a change of
-- many players locks their totals in user order, as the ledger does.
CREATE FUNCTION users_raise_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1
       FROM user_scores s JOIN new_users n ON n.id = s.user_id JOIN old_users o ON o.id = n.id
      WHERE (o.username, o.avatar_url, o.region, o.is_hidden, o.is_active)
            IS DISTINCT FROM (n.username, n.avatar_url, n.region, n.is_hidden, n.is_active)
      ORDER BY s.user_id
        FOR NO KEY UPDATE OF s;

    UPDATE user_scores s
       SET version = s.version + 1, changed_xid = pg_current_xact_id()::text::bigint
      FROM new_users n JOIN old_users o ON o.id = n.id
     WHERE s.user_id = n.id
       AND (o.username, o.avatar_url, o.region, o.is_hidden, o.is_active)
           IS DISTINCT FROM (n.username, n.avatar_url, n.region, n.is_hidden, n.is_active);
    RETURN NULL;
END
$$;

CREATE TRIGGER users_board_columns
    AFTER UPDATE ON users
    REFERENCING OLD TABLE AS old_users NEW TABLE AS new_users
    FOR EACH STATEMENT EXECUTE FUNCTION users_raise_version();
