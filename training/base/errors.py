"""What can go wrong with the base encoder."""


class BaseError(RuntimeError):
    """The base encoder cannot be obtained or is not the one that `models/base.toml` names."""
