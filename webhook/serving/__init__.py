"""The service around the core.

`app` has the webhook's route and `admin` the routes of the admin port; both are FastAPI
applications. The route hands an AdmissionReview to `service`, which decodes it (`review`), has the
core decide, counts (`metrics`), logs, and encodes the answer (`review`). `server` runs both
applications on uvicorn, with the HTTP limits of `limits` and the certificates of `tls` and
`clients`; `reload` follows the files that may change.
"""
