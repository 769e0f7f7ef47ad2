"""Benchmarks: CPU, latency and memory of the service, of CREATE requests, and of starting pods.

`python -m benchmarks --help` lists them. Each prints Markdown tables: `service` and `create` those
of docs/contributors/performance.md, `node` those of docs/contributors/startup-latency.md.
"""
