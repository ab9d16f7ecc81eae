"""Where the texts of a request are tokenised."""

import asyncio
import threading

import pytest

from nlp_service.api.encoding import HERE, encode
from nlp_service.inference.engine import Engine, Passes


@pytest.mark.parametrize(
    ("texts", "here"),
    [
        (["又闪退了😡"], True),
        (["退" * HERE], True),
        (["退" * HERE, "款"], False),
        (["慢"] * 5, False),
        (["Export crashes. " * 500], False),
    ],
)
def test_few_characters_in_the_event_loop_and_more_in_a_thread(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, texts: list[str], *, here: bool
) -> None:
    threads: list[threading.Thread] = []
    submit = engine.submit

    def noted(*arguments: object) -> Passes:
        threads.append(threading.current_thread())
        return submit(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "submit", noted)
    encoded = asyncio.run(encode(engine, texts, ("classify",)))
    assert [thread is threading.current_thread() for thread in threads] == [here]
    (vectors,) = encoded.pooled.values()
    assert len(vectors) == len(texts)
