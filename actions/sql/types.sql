-- Whether a type of the catalogue works: only then it is listed, minted and awarded, and a separate signer's tokens are seen.
--
-- It is switched on, and it is a measure, which gives no points, or the most it can give is within `p_bound`
-- (APPROVE_TYPE_POINTS) or what a second person has approved.
CREATE FUNCTION action_type_works(t action_types, p_bound bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT t.enabled AND (t.measure OR greatest(t.points, t.max_points) <= greatest(p_bound, t.approved_points))
$$;

-- Whether a type is a measure is said when it is made: entries of points and of measures would be compared with each other.
CREATE FUNCTION action_types_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'whether % is a measure was said when it was made', OLD.slug USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER action_types_measure BEFORE UPDATE ON action_types
    FOR EACH ROW WHEN (OLD.measure <> NEW.measure) EXECUTE FUNCTION action_types_refuse();
