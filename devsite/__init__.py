"""What `make run` and `make test` need on a machine with nothing: PostgreSQL and Redis that arrive by pip, the site's
processes and their supervision, the installing of both."""
