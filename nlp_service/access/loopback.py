"""Addresses that only the own machine reaches."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address; a name is not looked up, so only `localhost` is."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_address(host: str) -> bool:
    """Whether the text is an address in numbers."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
