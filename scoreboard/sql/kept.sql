-- Rows that are never removed, by a person at a psql prompt as little as by code: a total whose row is gone is not the sum of
-- its history, a bonus whose row is gone is paid once more under its key, and the admin log says who decided what. Their
-- columns change: totals by the ledger, the state of a bonus, and free text about erased players is emptied.
CREATE FUNCTION refuse_removal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never removed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER user_scores_kept BEFORE TRUNCATE ON user_scores
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER user_scores_kept_row BEFORE DELETE ON user_scores
    FOR EACH ROW EXECUTE FUNCTION refuse_removal();

CREATE TRIGGER bonuses_kept BEFORE TRUNCATE ON bonuses
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER bonuses_kept_row BEFORE DELETE ON bonuses
    FOR EACH ROW EXECUTE FUNCTION refuse_removal();

CREATE TRIGGER django_admin_log_kept BEFORE TRUNCATE ON django_admin_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER django_admin_log_kept_row BEFORE DELETE ON django_admin_log
    FOR EACH ROW EXECUTE FUNCTION refuse_removal();
