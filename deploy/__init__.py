"""How Parley is run: on one machine, in containers, in Kubernetes."""
