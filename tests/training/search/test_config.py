from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from training.search.config import load_search_config

PROJECT = Path(__file__).parents[3]
SEARCH = PROJECT / "training" / "configs" / "search.toml"


def test_the_configuration_of_the_project_names_data_that_is_there() -> None:
    config = load_search_config(SEARCH)
    assert (PROJECT / config.data / "wordings.jsonl").is_file()
    assert list((PROJECT / config.knowledge).glob("*.jsonl"))


def test_a_field_is_replaced() -> None:
    assert load_search_config(SEARCH, {"pairs": {"lcqmc": "pairs.tsv"}}).pairs == {"lcqmc": Path("pairs.tsv")}


@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": 1},  # one text has no other to be told from
        {"temperature": 0},
        {"blends": [0.0]},  # the plain encoder is always compared
        {"blends": [1.5]},
        {"negatives": -1},
        {"epoch": 3},
    ],
    ids=str,
)
def test_a_wrong_setting_is_named(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(change))):
        load_search_config(SEARCH, change)
