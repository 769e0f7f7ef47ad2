"""Access to a cluster: the Kubernetes client, and TLS handshakes with the webhook's pods."""
