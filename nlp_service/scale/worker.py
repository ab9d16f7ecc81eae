"""What runs in the worker processes of a corpus run."""

import os
from pathlib import Path
from typing import Any

from nlp_service.errors import ServiceError
from nlp_service.inference.engine import Engine
from nlp_service.scale.job import Job, Shard, read_job
from nlp_service.scale.models import models_of
from nlp_service.scale.part import analyse_shard
from nlp_service.settings import Settings

SHARD, RECEIPT, PROBLEM = "shard", "receipt", "problem"
"""The columns that go in and come out: JSON and a message, so that nothing of ours is unpickled but this class."""


class ShardWorker:
    """Analyses shards one after the other, with models that are loaded when the first one comes."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._engine: Engine | None = None
        self._models: dict[str, str] = {}
        self._jobs: dict[Path, Job] = {}

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """The receipt of each shard, or what keeps this machine from it, which another attempt would not mend."""
        receipts, problems = [], []
        for text in batch[SHARD]:
            receipt = problem = ""
            try:
                receipt = self._receipt(Shard.model_validate_json(str(text)))
            except ServiceError as error:
                problem = str(error)
            except OSError as error:
                problem = f"{os.uname().nodename}: {error}"
            receipts.append(receipt)
            problems.append(problem)
        return {RECEIPT: receipts, PROBLEM: problems}

    def _receipt(self, shard: Shard) -> str:
        job = self._jobs.get(shard.folder) or self._jobs.setdefault(shard.folder, read_job(shard.folder))
        return analyse_shard(shard, job, self._loaded(job).analyse).model_dump_json()

    def _loaded(self, job: Job) -> Engine:
        bundles = Settings().bundles_dir
        self._models = self._models or models_of(bundles)
        if self._models != job.models:
            other = min({*self._models.items()} ^ {*job.models.items()})[0]
            raise ServiceError(
                f"{other}: 这台机器的模型与启动分析的机器不同 · the models here are not those of the machine that "
                "started the run"
            )
        self._engine = self._engine or Engine.load(bundles, threads=self._threads)
        return self._engine
