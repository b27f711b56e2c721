-- Whether a type of the catalogue works: only then it is listed, minted and awarded, and a separate signer's tokens are seen.
--
-- It is switched on, and the most it can give is within `p_bound` (APPROVE_TYPE_POINTS) or what a second person has approved.
CREATE FUNCTION action_type_works(t action_types, p_bound bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT t.enabled AND greatest(t.points, t.max_points) <= greatest(p_bound, t.approved_points)
$$;
