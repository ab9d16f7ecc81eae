"""Loads the models that the settings name; apart from the application, whose modules are imported meanwhile."""

from nlp_service.inference.batching import Limits
from nlp_service.inference.engine import Engine
from nlp_service.inference.live import LiveEngine
from nlp_service.observability.encoder import EncoderObserver
from nlp_service.settings import Settings


def load_models(settings: Settings) -> LiveEngine:
    """The models that serve, to be replaced when others are promoted; raises BundleError."""

    def load(previous: Engine | None) -> Engine:
        return Engine.load(
            settings.bundles_dir,
            threads=settings.inference_threads,
            limits=Limits(
                interactive=settings.max_wait_seconds,
                batch=settings.max_batch_wait_seconds,
                standing=settings.max_standing_wait_seconds,
                recent=settings.recent_texts,
            ),
            observe=EncoderObserver,
            previous=previous,
            rerank_top=settings.rerank_top,
        )

    return LiveEngine.start(load, settings.bundles_dir)
