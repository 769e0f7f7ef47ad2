"""The image stores that jobs leave on a node, and their reclaimer.

`layout` defines what a store is on disk and how it is locked, `rules` decides which stores to
remove, `measuring` determines sizes, and `reclaimer` runs one round. Only `tree` reads directories
that jobs can write to, because they may contain anything.
"""
