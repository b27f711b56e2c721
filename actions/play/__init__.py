"""Players who really call the API, for the demo and for load by hand: processes that know nothing but the site's URL.

Nothing in this package imports Django: what these processes see is what a stranger's client would see.
"""
