"""The metrics exporter in a pod, which counts what `docker_api` and `build_history` read."""
