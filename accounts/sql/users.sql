-- No user comes back from an erasure, and no name is put on the row again.
CREATE FUNCTION users_refuse_revival() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.erased_at, NEW.external_id, NEW.username, NEW.display_name, NEW.email, NEW.avatar_url, NEW.region, NEW.attributes)
       IS DISTINCT FROM
       (OLD.erased_at, OLD.external_id, OLD.username, OLD.display_name, OLD.email, OLD.avatar_url, OLD.region, OLD.attributes) THEN
        RAISE EXCEPTION 'this player was erased and cannot be brought back'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER users_erased_for_good
    BEFORE UPDATE ON users
    FOR EACH ROW WHEN (OLD.erased_at IS NOT NULL)
    EXECUTE FUNCTION users_refuse_revival();
