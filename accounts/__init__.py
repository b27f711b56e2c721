"""WHO: users, sign-up and sign-in, API keys, roles, second factor, and everything about one person."""
