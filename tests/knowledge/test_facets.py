"""Facet index: masks as a look at every record would give them, whatever was added, replaced and removed before."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_service.errors import IndexDamaged
from nlp_service.knowledge.facets import COMPACT_FROM, REMEMBERED, FacetIndex, Facets, Filters
from nlp_service.knowledge.keys import Mask

MAY = datetime(2026, 5, 1, 8, 30, 0, 123456, tzinfo=UTC)
LOGIN = Facets("article", "网课通", "登录", "教育场景", frozenset({"密码", "登录"}), "published", MAY)
EXPORT = Facets("article", "账务云", None, "Enterprise ERP", frozenset({"导出"}), "draft", MAY + timedelta(days=1))
CASE = Facets("case", None, "登录", "enterprise erp", frozenset(), "published", MAY + timedelta(days=2))


@pytest.fixture
def index() -> FacetIndex:
    filled = FacetIndex()
    for key, facets in ((2, LOGIN), (4, EXPORT), (7, CASE)):
        filled.put(key, facets)
    return filled


def _keys(mask: Mask) -> list[int]:
    return np.flatnonzero(mask).tolist()


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(), [2, 4, 7]),
        (Filters(kind=frozenset({"case"})), [7]),
        (Filters(product=frozenset({"网课通"})), [2]),
        (Filters(product=frozenset({"网课通", "账务云"})), [2, 4]),
        (Filters(module=frozenset({"登录"})), [2, 7]),
        (Filters(scenario=frozenset({"教育场景"})), [2]),
        (Filters(tags=frozenset({"密码", "导出"})), [2, 4]),
        (Filters(status=frozenset({"draft"})), [4]),
        (Filters(module=frozenset({"登录"}), kind=frozenset({"article"})), [2]),
        (Filters(tags=frozenset({"导出"}), status=frozenset({"published"})), []),
        (Filters(product=frozenset()), []),
    ],
)
def test_every_condition_must_hold_with_any_of_its_values(
    index: FacetIndex, filters: Filters, expected: list[int]
) -> None:
    assert _keys(index.match(filters, None)) == expected


UNKNOWN = frozenset({"没有的"})


@pytest.mark.parametrize(
    "filters",
    [
        Filters(kind=UNKNOWN),
        Filters(product=UNKNOWN),
        Filters(module=UNKNOWN),
        Filters(scenario=UNKNOWN),
        Filters(tags=UNKNOWN),
        Filters(status=UNKNOWN),
    ],
)
def test_unknown_values_match_nothing(index: FacetIndex, filters: Filters) -> None:
    assert _keys(index.match(filters, None)) == []


def test_a_scenario_matches_in_any_case(index: FacetIndex) -> None:
    assert _keys(index.match(Filters(scenario=frozenset({"ENTERPRISE erp"})), None)) == [4, 7]


def test_a_part_of_a_scenario_does_not_match(index: FacetIndex) -> None:
    assert _keys(index.match(Filters(scenario=frozenset({"enterprise"})), None)) == []


def test_the_default_statuses_count_where_no_status_is_asked_for(index: FacetIndex) -> None:
    assert _keys(index.match(Filters(), frozenset({"published"}))) == [2, 7]


def test_a_status_that_is_asked_for_replaces_the_default_ones(index: FacetIndex) -> None:
    assert _keys(index.match(Filters(status=frozenset({"draft"})), frozenset({"published"}))) == [4]


def test_since_includes_its_moment(index: FacetIndex) -> None:
    assert _keys(index.match(Filters(since=EXPORT.at), None)) == [4, 7]


def test_until_excludes_its_moment(index: FacetIndex) -> None:
    assert _keys(index.match(Filters(until=EXPORT.at), None)) == [2]


def test_moments_of_other_time_zones_are_compared_as_moments(index: FacetIndex) -> None:
    beijing = EXPORT.at.astimezone(timezone(timedelta(hours=8)))
    assert _keys(index.match(Filters(since=beijing, until=beijing + timedelta(microseconds=1)), None)) == [4]


def test_a_removed_record_never_matches(index: FacetIndex) -> None:
    index.remove([2])
    everything = (index.match(Filters(), None), index.match(Filters(tags=LOGIN.tags), None), index.same("tags", "密码"))
    assert [2 in _keys(mask) for mask in everything] == [False, False, False]


def test_removing_unknown_keys_is_harmless(index: FacetIndex) -> None:
    index.remove([3, 99, -1])
    assert len(index) == 3


def test_a_replaced_record_loses_its_old_facets(index: FacetIndex) -> None:
    index.put(2, CASE)
    old = Filters(tags=frozenset({"密码"})), Filters(product=frozenset({"网课通"})), Filters(until=EXPORT.at)
    assert [_keys(index.match(filters, None)) for filters in old] == [[], [], []]


def test_the_facets_of_a_record_come_back_as_they_were_put(index: FacetIndex) -> None:
    assert [index.facets_of(key) for key in (2, 4, 7)] == [LOGIN, EXPORT, CASE]


@pytest.mark.parametrize("key", [-1, 3, 7, 1000])
def test_an_unknown_key_has_no_facets(index: FacetIndex, key: int) -> None:
    index.remove([7])
    assert index.facets_of(key) is None


def test_records_with_the_same_module_are_named(index: FacetIndex) -> None:
    assert _keys(index.same("module", "登录")) == [2, 7]


def test_a_mask_can_not_be_changed(index: FacetIndex) -> None:
    with pytest.raises(ValueError, match="read-only"):
        index.match(Filters(), None)[:] = False


def test_a_mask_stays_the_same_until_something_changes(index: FacetIndex) -> None:
    before = index.match(Filters(), None)
    assert index.match(Filters(), None) is before
    index.remove([4])
    assert _keys(index.match(Filters(), None)) == [2, 7]
    assert _keys(before) == [2, 4, 7]


def test_masks_of_many_different_filters_are_not_all_kept(index: FacetIndex) -> None:
    for number in range(3 * REMEMBERED):
        index.match(Filters(product=frozenset({f"产品{number}"})), None)
    assert len(index._matched) <= REMEMBERED


def test_more_values_than_are_compared_one_by_one_match_as_few_do() -> None:
    index = FacetIndex()
    for key in range(40):
        index.put(key, replace(LOGIN, product=f"产品{key}", tags=frozenset({f"标签{key}", "共同"})))
    wanted = Filters(
        product=frozenset(f"产品{key}" for key in range(0, 40, 2)),
        tags=frozenset(f"标签{key}" for key in range(0, 40, 3)),
    )
    assert _keys(index.match(wanted, None)) == list(range(0, 40, 6))


def test_replacing_a_record_again_and_again_takes_no_more_room() -> None:
    index = FacetIndex()
    for turn in range(COMPACT_FROM * 3):
        index.put(1, replace(LOGIN, scenario=f"场景{turn}", tags=frozenset({f"标签{turn}"})))
    kept = len(index._tags.vocabulary.values), len(index._texts["scenario"].vocabulary.values), index._tags._used
    assert max(kept) <= COMPACT_FROM + 2


def test_an_empty_index_matches_nothing() -> None:
    assert _keys(FacetIndex().match(Filters(tags=frozenset({"密码"})), frozenset({"published"}))) == []


def test_values_of_removed_records_are_not_saved(index: FacetIndex, tmp_path: Path) -> None:
    index.remove([2])
    index.save(tmp_path)
    words = json.loads((tmp_path / "facets.json").read_text("utf-8"))
    assert (words["tags"], words["product"]) == (["导出"], ["账务云"])


def test_an_empty_index_can_be_saved_and_opened(tmp_path: Path) -> None:
    FacetIndex().save(tmp_path)
    opened = FacetIndex.open(tmp_path)
    opened.put(3, LOGIN)
    assert _keys(opened.match(Filters(), None)) == [3]


@pytest.mark.parametrize("damage", ["missing", "cut off", "empty", "from another index"])
@pytest.mark.parametrize("name", ["facets.npz", "facets.json"])
def test_files_that_do_not_fit_together_are_refused(
    index: FacetIndex, name: str, damage: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    index.save(tmp_path)
    path = tmp_path / name
    content = path.read_bytes()
    path.unlink()
    if damage == "cut off":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "from another index":
        other = FacetIndex()
        if name == "facets.npz":
            other.put(2, LOGIN)
            other.put(4, replace(LOGIN, tags=frozenset("甲乙丙丁")))
        other.save(folder := tmp_path_factory.mktemp("other"))
        path.write_bytes((folder / name).read_bytes())
    with pytest.raises(IndexDamaged):
        FacetIndex.open(tmp_path)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("present", np.ones(8, np.int64)),
        ("at", np.zeros(3, np.int64)),
        ("kind", np.full(8, 9, np.int32)),
        ("status", np.full(8, -1, np.int32)),
        ("product", np.full(8, -1, np.int64)),
        ("tags", np.array([0, 1, 99], np.int32)),
        ("tag_keys", np.array([2, 4, 2], np.int32)),
        ("tag_keys", np.array([-1, 2, 4], np.int32)),
        ("tag_keys", np.array([2, 2, 8], np.int32)),
    ],
)
def test_arrays_with_impossible_values_are_refused(
    index: FacetIndex, name: str, wrong: np.ndarray, tmp_path: Path
) -> None:
    index.save(tmp_path)
    with np.load(tmp_path / "facets.npz", allow_pickle=False) as file:
        arrays = dict(file)
    np.savez(tmp_path / "facets.npz", **(arrays | {name: wrong}))
    with pytest.raises(IndexDamaged):
        FacetIndex.open(tmp_path)


def _matches(facets: Facets, filters: Filters, default_statuses: frozenset[str] | None) -> bool:
    """A look at one record."""
    status = default_statuses if filters.status is None else filters.status
    scenarios = None if filters.scenario is None else {scenario.casefold() for scenario in filters.scenario}
    return (
        (filters.kind is None or facets.kind in filters.kind)
        and (filters.product is None or facets.product in filters.product)
        and (filters.module is None or facets.module in filters.module)
        and (scenarios is None or facets.scenario.casefold() in scenarios)
        and (filters.tags is None or bool(facets.tags & filters.tags))
        and (status is None or facets.status in status)
        and (filters.since is None or facets.at >= filters.since)
        and (filters.until is None or facets.at < filters.until)
    )


_words = st.sampled_from(["甲", "乙", "a", "A", "ß", "SS", ""])
_sets = st.frozensets(_words, max_size=3)
_moments = st.datetimes(datetime(2025, 1, 1), datetime(2025, 1, 2), timezones=st.just(UTC))  # noqa: DTZ001
_facets = st.builds(
    Facets,
    kind=st.sampled_from(["article", "case"]),
    product=st.none() | _words,
    module=st.none() | _words,
    scenario=_words,
    tags=_sets,
    status=_words,
    at=_moments,
)
_conditions = st.none() | _sets
_filters = st.builds(
    Filters,
    product=_conditions,
    module=_conditions,
    scenario=_conditions,
    tags=_conditions,
    status=_conditions,
    kind=st.none() | st.frozensets(st.sampled_from(["article", "case"])),
    since=st.none() | _moments,
    until=st.none() | _moments,
)
_numbers = st.integers(0, 150)
_steps = st.one_of(
    st.tuples(st.just("put"), _numbers, _facets),
    st.tuples(st.just("remove"), _numbers),
    st.tuples(st.just("save and open")),
)


@settings(deadline=None)
@given(steps=st.lists(_steps, max_size=30), filters=st.lists(_filters, min_size=1, max_size=5), statuses=_conditions)
def test_any_sequence_of_changes_gives_the_masks_of_a_look_at_every_record(
    steps: list[tuple[str] | tuple[str, int] | tuple[str, int, Facets]],
    filters: list[Filters],
    statuses: frozenset[str] | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    index, records = FacetIndex(), dict[int, Facets]()
    for step in steps:
        if len(step) == 3:
            records[step[1]] = step[2]
            index.put(step[1], step[2])
        elif len(step) == 2:
            records.pop(step[1], None)
            index.remove([step[1]])
        else:
            index.save(folder := tmp_path_factory.mktemp("snapshot"))
            index = FacetIndex.open(folder)
    assert {key: index.facets_of(key) for key in records} == records
    assert len(index) == len(records)
    for each in filters:
        expected = sorted(key for key, facets in records.items() if _matches(facets, each, statuses))
        assert _keys(index.match(each, statuses)) == expected
