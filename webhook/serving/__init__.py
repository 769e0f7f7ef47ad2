"""The service: what the API server talks to.

Bytes come in through `protocol` and `endpoint`, `review` makes them an admission, the core decides,
`review` makes the decision bytes again. `server` starts and stops it all, `reloading` follows the
mounted files.
"""
