"""The image stores that jobs leave on a node, and their reclaimer.

`layout` says what a store is on disk and how it is locked, `rules` decides, `measuring` finds
sizes, `reclaimer` does one round of all of it. `tree` is the only module that looks into a
directory: jobs may have written anything there.
"""
