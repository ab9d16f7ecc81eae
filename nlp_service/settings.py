"""All settings, from the environment (prefix ``NLP_``); defaults are safe on one machine."""

import re
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from nlp_service.access.credential import SECRET_BYTES
from nlp_service.access.loopback import is_loopback
from nlp_service.inference.processor import cores
from nlp_service.storage.statuses import ArticleStatus

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9A-Fa-f:]+\](:[0-9]{1,5})?")


class Settings(BaseSettings):
    """Where things lie, what is listened on, and the limits."""

    model_config = SettingsConfigDict(env_prefix="NLP_", extra="ignore", frozen=True, hide_input_in_errors=True)

    home: Path = Field(default_factory=Path.cwd, description="folder that holds models/, data/ and var/")
    database_url: str = Field(
        default="",
        repr=False,  # it may hold a password
        description="sqlite:///… or postgresql+psycopg://…; empty: SQLite file var/nlp.db",
    )
    environment: Literal["development", "production"] = "development"
    secret: SecretStr = Field(
        default=SecretStr(""), description=f"what keys are hashed with; at least {SECRET_BYTES} characters"
    )
    requests_per_minute: int = Field(default=600, ge=1, le=1_000_000, description="of a key that has no other limit")
    cors_origins: tuple[str, ...] = Field(default=(), description="whose pages may call from a browser: https://…")
    shared_dir: Path | None = Field(
        default=None, description="folder that the workers share while they run; `serve` makes one"
    )
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    threads: int = Field(default=0, ge=0, le=256, description="inference threads of a worker; 0: cores / workers")
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    max_body_bytes: int = Field(default=2 * 1024 * 1024, ge=1024)
    max_wait_seconds: float = Field(
        default=2.0,
        gt=0,
        le=600,
        description="searches and requests of up to 4 texts are refused when they would wait longer",
    )
    max_standing_wait_seconds: float = Field(
        default=0.25,
        gt=0,
        le=600,
        description="the same while an overload lasts: when others have waited all the time for max_wait_seconds",
    )
    max_batch_wait_seconds: float = Field(
        default=30.0, gt=0, le=3600, description="the longest wait of requests of more texts"
    )
    recent_texts: int = Field(default=4096, ge=0, description="texts whose vectors are remembered by each encoder")
    watch_models: bool = Field(default=True, description="take a promoted model within a second, without a call")
    search_statuses: tuple[ArticleStatus, ...] = Field(
        default=("draft", "in_review", "published"),
        description="articles that a search without a status filter covers",
    )

    rerank_top: int = Field(
        default=10, ge=0, le=100, description="first hits that a reranker, where one serves, reads; 0: none is loaded"
    )

    points_approved: int = Field(default=10, ge=0, le=1000, description="points for an article that was approved")
    points_review: int = Field(default=2, ge=0, le=1000, description="points for reviewing an article")
    points_helpful: int = Field(default=1, ge=0, le=1000, description="points for each person whom an article helped")
    stale_days: int = Field(
        default=180, ge=1, le=36_500, description="an article neither changed nor found helpful for so long is stale"
    )

    @field_validator("database_url")
    @classmethod
    def _is_supported(cls, url: str) -> str:
        if url:
            from nlp_service.storage.url import parse_url  # needs SQLAlchemy, which is large

            parse_url(url)
        return url

    @field_validator("secret")
    @classmethod
    def _is_long_enough(cls, secret: SecretStr) -> SecretStr:
        if secret and len(secret.get_secret_value().encode()) < SECRET_BYTES:
            raise ValueError(f"至少 {SECRET_BYTES} 个字符 · at least {SECRET_BYTES} characters: openssl rand -hex 32")
        return secret

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError("须为 https://主机[:端口] · must be https://host[:port], without a path and without *")
        return origins

    @property
    def secret_bytes(self) -> bytes:
        """What keys are hashed with; empty when there is none."""
        return self.secret.get_secret_value().encode()

    @property
    def keys_required(self) -> bool:
        """Whether requests need a key: in production, and on any address that other machines reach."""
        return self.environment == "production" or not is_loopback(self.host)

    @property
    def models_dir(self) -> Path:
        """What was trained, as in git."""
        return self.home / "models"

    @property
    def var_dir(self) -> Path:
        """Everything built or stored at run time."""
        return self.home / "var"

    @property
    def bundles_dir(self) -> Path:
        """Runtime bundles that the service loads."""
        return self.var_dir / "bundles"

    @property
    def index_dir(self) -> Path:
        """Snapshots of the search indexes."""
        return self.var_dir / "index"

    @cached_property
    def resolved_database_url(self) -> str:
        """The database URL with its default filled in."""
        return self.database_url or f"sqlite:///{self.var_dir / 'nlp.db'}"

    @property
    def inference_threads(self) -> int:
        """Threads that one worker process computes with."""
        return self.threads or max(1, cores() // self.workers)
