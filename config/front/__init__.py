"""The one door of `make run`: the site and its live connections behind one URL.

In production nginx does this (deploy/nginx.conf). Here a small reverse proxy does, so that `make run`
needs nothing but Python, and so that the browser's live connection stays on the site's own origin.
"""
