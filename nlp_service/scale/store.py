"""The database that replicas share, as the machines of a cluster must see it."""

from nlp_service.errors import ServiceError
from nlp_service.settings import Settings
from nlp_service.storage.url import parse_url


def database_name(settings: Settings) -> str:
    """The URL of the database without its password."""
    return parse_url(settings.resolved_database_url).render_as_string(hide_password=True)


def check_store(settings: Settings, machines: int) -> None:
    """Raise ServiceError when several machines would each write to an SQLite file."""
    if machines > 1 and parse_url(settings.resolved_database_url).get_backend_name() == "sqlite":
        raise ServiceError(
            f"集群有 {machines} 台机器,SQLite 只能供一台使用,请改用 PostgreSQL · the cluster has {machines} "
            "machines, and SQLite is for one; use PostgreSQL: NLP_DATABASE_URL=postgresql+psycopg://…"
        )


def check_same_store(settings: Settings, expected: str) -> None:
    """Raise ServiceError when this machine is configured with another database than the one that started it all."""
    if (found := database_name(settings)) != expected:
        raise ServiceError(
            f"NLP_DATABASE_URL: 这台机器为 {found},应为 {expected} · this machine has {found}, it should be "
            f"{expected}; set it before `ray start`"
        )
