-- Players of a site that has its own users: known by the site (provider) and the site's id of them, unique together.

-- What boards, API, pushes and admin show. The same in Python: `User.shown_name`.
CREATE FUNCTION player_name(u users) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN u.display_name <> '' THEN u.display_name
                WHEN u.provider = 'local' THEN u.username
                ELSE 'Player ' || right(u.id::text, 4)
           END
$$;

-- A row, under the id given with it, for each of these players that has none. In one order, so that two calls over the same
-- players wait for each other and never in a circle. No sign-up can take a username that begins with `ext:`; a password
-- that begins with `!` is none.
CREATE FUNCTION players_make(p_provider text[], p_player text[], p_user uuid[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO users (id, provider, external_id, username, email, password, avatar_url, region, role, is_superuser,
                       is_staff, is_active, is_hidden, date_joined, session_key)
    SELECT DISTINCT ON (e.provider, e.player) e.user_id, e.provider, e.player, 'ext:' || replace(e.user_id::text, '-', ''), '', '!',
           '', '', 'player', false, false, true, false, clock_timestamp(), gen_random_uuid()
      FROM unnest(p_provider, p_player, p_user) AS e(provider, player, user_id)
     WHERE NOT EXISTS (SELECT FROM users u WHERE u.provider = e.provider AND u.external_id = e.player)
     ORDER BY e.provider, e.player
        ON CONFLICT DO NOTHING
$$;

-- How these players are to appear, of those for whom that would be a change. NULL: as it is. Of several entries of one
-- player the last that says something counts; an attribute that is null goes.
CREATE FUNCTION players_described(
    p_user uuid[], p_name text[], p_avatar text[], p_region text[], p_attributes jsonb[], p_opted_out boolean[]
) RETURNS TABLE (user_id uuid, display_name text, avatar_url text, region text, attributes jsonb, opted_out boolean)
LANGUAGE sql STABLE AS $$
    WITH entries AS (
        SELECT e.* FROM unnest(p_user, p_name, p_avatar, p_region, p_attributes, p_opted_out) WITH ORDINALITY
            AS e(user_id, name, avatar, region, attributes, opted_out, ord)
    ), said AS (
        SELECT e.user_id,
               (array_agg(e.name ORDER BY e.ord DESC) FILTER (WHERE e.name IS NOT NULL))[1] AS name,
               (array_agg(e.avatar ORDER BY e.ord DESC) FILTER (WHERE e.avatar IS NOT NULL))[1] AS avatar,
               (array_agg(e.region ORDER BY e.ord DESC) FILTER (WHERE e.region IS NOT NULL))[1] AS region,
               (array_agg(e.opted_out ORDER BY e.ord DESC) FILTER (WHERE e.opted_out IS NOT NULL))[1] AS opted_out
          FROM entries e GROUP BY e.user_id
    ), attributed AS (
        SELECT e.user_id, jsonb_object_agg(a.key, a.value ORDER BY e.ord) AS attributes
          FROM entries e CROSS JOIN LATERAL jsonb_each(e.attributes) a GROUP BY e.user_id
    ), wanted AS (
        SELECT u.id, coalesce(s.name, u.display_name) AS display_name, coalesce(s.avatar, u.avatar_url) AS avatar_url,
               coalesce(s.region, u.region) AS region,
               jsonb_strip_nulls(u.attributes || coalesce(a.attributes, '{}')) AS attributes,
               coalesce(s.opted_out, u.opted_out) AS opted_out
          FROM said s JOIN users u ON u.id = s.user_id AND u.erased_at IS NULL
          LEFT JOIN attributed a ON a.user_id = s.user_id
    )
    SELECT w.* FROM wanted w JOIN users u ON u.id = w.id
     WHERE (u.display_name, u.avatar_url, u.region, u.attributes, u.opted_out)
           IS DISTINCT FROM (w.display_name, w.avatar_url, w.region, w.attributes, w.opted_out)
$$;

-- Writes that. The caller holds the rows' locks, taken in the order of their ids. Returns whom it changed.
CREATE FUNCTION players_describe(
    p_user uuid[], p_name text[], p_avatar text[], p_region text[], p_attributes jsonb[], p_opted_out boolean[]
) RETURNS SETOF uuid LANGUAGE sql AS $$
    UPDATE users u
       SET display_name = d.display_name, avatar_url = d.avatar_url, region = d.region, attributes = d.attributes,
           opted_out = d.opted_out
      FROM players_described(p_user, p_name, p_avatar, p_region, p_attributes, p_opted_out) d
     WHERE u.id = d.user_id
    RETURNING u.id
$$;
