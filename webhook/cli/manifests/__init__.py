"""What reads and writes manifests: text, the Kubernetes objects in it, and the pods in those."""
