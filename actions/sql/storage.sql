-- Every token is updated once, in its page (no index has `redeemed_at`), and deleted within days: vacuum keeps up with that.
ALTER TABLE action_tokens SET (fillfactor = 80, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_scale_factor = 0.05);
