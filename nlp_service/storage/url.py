"""Which database a URL names: an SQLite file, or PostgreSQL."""

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

SUPPORTED = "支持 sqlite:///… 与 postgresql+psycopg://… · supported are sqlite:///… and postgresql+psycopg://…"
UNREADABLE = (
    "不是有效的数据库地址,密码里的特殊字符须转义(@ 写作 %40) · "
    "not a database URL; special characters in the password must be escaped (@ as %40)"
)
_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


def parse_url(text: str) -> URL:
    """The URL with its driver; raises ValueError, which does not repeat the text: it may hold a password."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError(UNREADABLE) from None
    if url.drivername not in _DRIVERS:
        raise ValueError(SUPPORTED)
    if "@" in (url.host or ""):
        raise ValueError(UNREADABLE)
    return url.set(drivername=_DRIVERS[url.drivername])
