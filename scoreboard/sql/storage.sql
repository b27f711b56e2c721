-- Every score leaves a dead version of the player's row and of its index entries: vacuum comes after thousands of scores, not
-- after a fifth of the players, and a page keeps room for new versions beside the old ones.
ALTER TABLE user_scores SET (
    fillfactor = 80, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_threshold = 2000, autovacuum_analyze_scale_factor = 0.05
);
-- A score changes no indexed column of a standing: with room in the page no index has to hear of it.
ALTER TABLE standings SET (
    fillfactor = 70, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_threshold = 2000, autovacuum_analyze_scale_factor = 0.05
);
