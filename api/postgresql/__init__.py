"""Django's backend for PostgreSQL, for a server whose defaults are another's choice."""
