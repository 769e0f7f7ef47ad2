"""The service around the core.

Bytes come in through `connection`, `parsing` and `endpoint`; `review` makes them an admission, the
core decides, `service` counts and logs, `review` writes the answer. `server` starts and stops it
all, `admin` tells how it is, `callers` and `certificate` are TLS, `reloading` follows files.
"""
