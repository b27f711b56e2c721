-- Every user has a row of the total from the start, in the same transaction: its lock keeps a first score and a change of what
-- boards show apart, as any later one. Version 0 of it is on no board, and no sweep has to see it.
CREATE FUNCTION users_open_total() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO user_scores (user_id, total, version, reached_at, changed_xid)
    SELECT n.id, 0, 0, now(), 0 FROM new_users n ORDER BY n.id;
    PERFORM attribute_history_add(array_agg(n.id), array_agg(''::text), array_agg('{}'::jsonb), array_agg(n.region::text),
                                  array_agg(n.attributes))
       FROM new_users n WHERE n.region <> '' OR n.attributes <> '{}' HAVING count(*) > 0;
    RETURN NULL;
END
$$;

CREATE TRIGGER users_total
    AFTER INSERT ON users
    REFERENCING NEW TABLE AS new_users
    FOR EACH STATEMENT EXECUTE FUNCTION users_open_total();

-- A change of anything a board shows of a player raises the player's version, in any statement: the sweep then finds it
-- even if the process that made it dies before telling Redis. So does a change of role, which no board shows: the ledger
-- holds the row of the total while it judges whether the player is staff, so that neither passes the other. And so
-- does a change of region or attributes, which decide for the entries after it on which boards they count. One statement-level
-- trigger, so that a change of many players locks their totals in user order, as the ledger does.
CREATE FUNCTION users_raise_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_changed uuid[];
BEGIN
    SELECT array_agg(n.id) INTO v_changed
      FROM new_users n JOIN old_users o ON o.id = n.id
     WHERE (o.username, o.display_name, o.avatar_url, o.region, o.attributes, o.is_hidden, o.opted_out, o.is_active, o.role)
           IS DISTINCT FROM
           (n.username, n.display_name, n.avatar_url, n.region, n.attributes, n.is_hidden, n.opted_out, n.is_active, n.role);
    IF v_changed IS NULL THEN
        RETURN NULL;
    END IF;

    PERFORM 1 FROM user_scores s WHERE s.user_id = ANY (v_changed) ORDER BY s.user_id FOR NO KEY UPDATE;

    UPDATE user_scores s
       SET version = s.version + 1, changed_xid = pg_current_xact_id()::text::bigint
     WHERE s.user_id = ANY (v_changed);

    PERFORM attribute_history_add(array_agg(n.id), array_agg(o.region::text), array_agg(o.attributes), array_agg(n.region::text),
                                  array_agg(n.attributes))
       FROM new_users n JOIN old_users o ON o.id = n.id
      WHERE (o.region, o.attributes) IS DISTINCT FROM (n.region, n.attributes) HAVING count(*) > 0;
    RETURN NULL;
END
$$;

CREATE TRIGGER users_board_columns
    AFTER UPDATE ON users
    REFERENCING OLD TABLE AS old_users NEW TABLE AS new_users
    FOR EACH STATEMENT EXECUTE FUNCTION users_raise_version();
