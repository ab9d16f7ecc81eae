"""Analyses files on a Ray cluster: Ray Data hands shards to workers, and again where a machine is lost."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from nlp_service.errors import ServiceError
from nlp_service.feedback.analysing import check_texts
from nlp_service.feedback.claim import claimed
from nlp_service.feedback.corpus_files import CorpusFile
from nlp_service.feedback.survey import survey
from nlp_service.feedback.tally import Tally
from nlp_service.scale.gathering import gather
from nlp_service.scale.job import Job, Shard, parts_folder, shards_of, write_job
from nlp_service.scale.models import models_of
from nlp_service.scale.receipt import Receipt, read_receipt
from nlp_service.scale.worker import PROBLEM, RECEIPT, SHARD, ShardWorker
from nlp_service.settings import Settings

BLOCKS_PER_WORKER = 16
"""Shards that are handed out together; what is finished of them is not computed again when their worker is lost."""


@dataclass(frozen=True)
class CorpusOptions:
    """How a corpus is divided among workers."""

    column: str | None = None
    workers: int | None = None
    """Processes of one core; as many as the cluster has cores when it is not said."""
    shard_records: int = 4096


def analyse_corpus(
    files: Sequence[CorpusFile], settings: Settings, options: CorpusOptions, on_records: Callable[[int, int], None]
) -> Tally:
    """Analyse files on the cluster that is connected; `on_records` is told how many of how many are finished.

    What an earlier run finished of the same files with the same models stays. Raises ServiceError, also when another
    run makes one of the results.
    """
    with ExitStack() as claims:
        for file in files:
            claims.enter_context(claimed(file.target))
        return _analyse(files, settings, options, on_records)


def _analyse(
    files: Sequence[CorpusFile], settings: Settings, options: CorpusOptions, on_records: Callable[[int, int], None]
) -> Tally:
    models, total, done = models_of(settings.bundles_dir), 0, 0
    jobs: dict[str, tuple[CorpusFile, Job, list[Shard]]] = {}
    for file in files:
        found = survey(file.source, options.column, options.shard_records)
        check_texts(file.source, found)
        job, place = Job.of(file, found, models), parts_folder(file.target)
        write_job(place, job)
        jobs[str(place)] = (file, job, list(shards_of(file, found)))
        total += found.records
    receipts: dict[str, list[Receipt]] = {folder: [] for folder in jobs}
    for receipt in _receipts([(shard, job) for _, job, shards in jobs.values() for shard in shards], settings, options):
        receipts[str(receipt.shard.folder)].append(receipt)
        done += receipt.shard.records
        on_records(done, total)
    tally = Tally()
    for folder, (file, job, shards) in jobs.items():
        finished = receipts[folder]
        if len(finished) != len(shards):
            raise ServiceError(f"{file.source}: {len(finished)} / {len(shards)} 片已完成 · shards are finished")
        gather(file, job, finished)
        for receipt in finished:
            tally.add(receipt.tally)
    return tally


def _receipts(shards: Sequence[tuple[Shard, Job]], settings: Settings, options: CorpusOptions) -> Iterator[Receipt]:
    unfinished = []
    for shard, job in shards:
        receipt = read_receipt(shard, job.digest)
        if receipt is None:
            unfinished.append(shard)
        else:
            yield receipt
    if unfinished:
        yield from _computed(unfinished, settings, options)


def _computed(shards: Sequence[Shard], settings: Settings, options: CorpusOptions) -> Iterator[Receipt]:
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)  # it would write over the progress that is shown
    ray.data.DataContext.get_current().enable_progress_bars = False
    threads = settings.threads or 1
    cores = int(ray.cluster_resources().get("CPU", threads))  # type: ignore[no-untyped-call]
    workers = min(options.workers or max(1, cores // threads), len(shards))
    blocks = min(len(shards), workers * BLOCKS_PER_WORKER)
    rows = ray.data.from_items([{SHARD: shard.model_dump_json()} for shard in shards], override_num_blocks=blocks)
    receipts = rows.map_batches(
        ShardWorker,
        fn_constructor_args=(threads,),
        batch_size=1,
        num_cpus=threads,
        compute=ray.data.ActorPoolStrategy(min_size=1, initial_size=workers, max_size=workers),
    )
    for row in receipts.iter_rows():
        if row[PROBLEM]:
            raise ServiceError(row[PROBLEM])
        yield Receipt.model_validate_json(row[RECEIPT])
