"""What the middleware asks: who a credential belongs to, whether one is needed, how many requests it may make."""

from collections.abc import Collection
from dataclasses import dataclass

from nlp_service.access.audit import AuditTrail
from nlp_service.access.caller import Caller
from nlp_service.access.keyring import KeyRing
from nlp_service.access.keys import KeyStore
from nlp_service.access.rate import Allowance, RateLimiter
from nlp_service.errors import AccessNotConfigured
from nlp_service.settings import Settings
from nlp_service.storage.access_tables import ApiKey
from nlp_service.storage.database import Database

NO_HASHING = (
    "缺少 NLP_SECRET,密钥以它散列 · NLP_SECRET is missing, which keys are hashed with: "
    "export NLP_SECRET=$(openssl rand -hex 32)"
)
NO_KEY = (
    "没有可用的密钥,先建一个 · there is no usable key, make one first: "
    "nlp-service keys create NAME --scope classify --scope search"
)
NEEDED = (
    "生产环境或非本机地址须有密钥才能启动 · in production, and on an address that others reach, keys must be set up: "
)


@dataclass
class Gate:
    """Keys, rates and the record of writes of one process."""

    ring: KeyRing | None
    """None without a secret: keys cannot be checked, and are not needed."""
    rates: RateLimiter
    audit: AuditTrail
    required: bool
    origins: Collection[str]
    """Of other sites, whose pages may call."""
    requests_per_minute: int
    secret: bytes

    def allowance(self, key: ApiKey) -> Allowance:
        """Count a request of the key."""
        return self.rates.take(key.prefix, key.requests_per_minute or self.requests_per_minute)


def open_gate(settings: Settings, database: Database) -> Gate:
    """The gate that the settings ask for; raises AccessNotConfigured."""
    check_access(settings, database)
    secret = settings.secret_bytes
    return Gate(
        ring=KeyRing(KeyStore(database), secret) if secret else None,
        rates=RateLimiter(settings.shared_dir),
        audit=AuditTrail(database),
        required=settings.keys_required,
        origins=frozenset(settings.cors_origins),
        requests_per_minute=settings.requests_per_minute,
        secret=secret,
    )


def check_access(settings: Settings, database: Database) -> None:
    """Raise AccessNotConfigured when keys are required and there is no secret or no usable key."""
    if not settings.keys_required:
        return
    if not settings.secret_bytes:
        raise AccessNotConfigured(NEEDED + NO_HASHING)
    if not KeyStore(database).usable():
        raise AccessNotConfigured(NEEDED + NO_KEY)


def caller_of(key: ApiKey) -> Caller:
    """Who makes requests with the key."""
    return Caller(key.prefix, key.name, frozenset(key.scopes), key.for_others)  # type: ignore[arg-type]
