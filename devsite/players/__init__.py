"""Demo players, who really call the API: all they know of a site is its URL, as any client would.

Of this package only `people` imports the site's code.
"""
