"""The HTTP interface: one router for each resource. Holds no logic of its own."""
