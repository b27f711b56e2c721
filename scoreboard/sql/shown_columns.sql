-- A change of anything a board shows of a player raises the player's version, whoever makes it: the sweep then finds it
-- even if the process that made it dies before telling Redis. One statement-level trigger, so that a change of
-- many players locks their totals in user order, as the ledger does.
--
-- A player without a total gets a row: a first score that is being written at this moment reads the profile as it was. The
-- row's key makes one of the two wait for the other, and the second has the higher version.
CREATE FUNCTION users_raise_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO user_scores (user_id, total, version, reached_at, changed_xid)
    SELECT n.id, 0, 0, now(), pg_current_xact_id()::text::bigint
      FROM new_users n JOIN old_users o ON o.id = n.id
     WHERE (o.username, o.avatar_url, o.region, o.is_hidden, o.is_active)
           IS DISTINCT FROM (n.username, n.avatar_url, n.region, n.is_hidden, n.is_active)
       AND NOT EXISTS (SELECT 1 FROM user_scores s WHERE s.user_id = n.id)
     ORDER BY n.id
        ON CONFLICT DO NOTHING;

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
