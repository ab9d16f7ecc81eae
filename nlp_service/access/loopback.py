"""Addresses that only the own machine reaches."""

from functools import lru_cache
from ipaddress import ip_address


@lru_cache(maxsize=1024)  # asked for every request
def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address; a name is not looked up, so only `localhost` is."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=1024)
def is_address(host: str) -> bool:
    """Whether the text is an address in numbers."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
