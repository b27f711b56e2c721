-- Who is on which board, and all that a board shows of a player. Said here and, for SQL's rows in Python, in `Board.shows`; of a
-- user without a total in `User.visible`.

CREATE FUNCTION player_visible(u users) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT u.is_active AND NOT u.is_hidden AND NOT u.opted_out
$$;

-- One row for each player with a total: the columns of a `Standing`, in its order, and the transaction that changed it.
-- `profile_id` is `user_id` from the other table: a bound that is to hold for both has to be said of both. `role` decides, in the
-- ledger, who earns nothing.
CREATE VIEW player_standings AS
SELECT s.user_id, s.total, s.version, s.reached_at, player_visible(u) AS visible,
       player_name(u) AS username, u.avatar_url, u.region, s.changed_xid, u.id AS profile_id, u.role
  FROM user_scores s JOIN users u ON u.id = s.user_id;

-- One row for each player and period of a board, 0 for the board of all totals; `shown`: has a rank there. A period this view
-- does not know has no players. Points are as they rank, see standings.sql.
CREATE VIEW board_players AS
SELECT 0::bigint AS board, p.*, p.visible AND p.total > 0 AS shown, NULL::jsonb AS metadata
  FROM player_standings p
 UNION ALL
SELECT s.period_id, s.user_id, s.points, p.version, s.reached_at, p.visible AND s.shown, p.username, p.avatar_url, p.region,
       p.changed_xid, p.profile_id, p.role, p.visible AND s.shown, s.metadata
  FROM standings s JOIN player_standings p ON p.user_id = s.user_id;
