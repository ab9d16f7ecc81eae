from training.audit.entry import Entry, entries_of
from training.audit.spread import Spread, find_spread, sources_by_product
from training.data.example import Example, Split


def texts(product: str, number: int, *, source: str = "tickets") -> list[Example]:
    return [Example(f"{product}-{place}", f"{product} {place}", source, {}, None, {"product": product})
            for place in range(number)]  # fmt: skip


def grouped(name: str, *, source: str = "tickets") -> Example:
    return Example(name, name, source, group=name)


def spread(entries: list[Entry], *by_product: str) -> list[tuple[str, str, str]]:
    return [(found.kind, found.source, found.name) for found in find_spread(entries, by_product)]


def test_a_group_in_two_splits_is_found() -> None:
    entries = entries_of({"train": [grouped("case-1"), grouped("case-2")], "test": [grouped("case-1")]})
    assert find_spread(entries, ()) == (
        Spread("group", "tickets", "case-1", {"train": 1, "validation": 0, "test": 1}),
    )  # fmt: skip


def test_groups_of_different_sources_are_different_groups() -> None:
    entries = entries_of({"train": [grouped("1")], "test": [grouped("1", source="reviews")]})
    assert spread(entries) == []


def test_a_group_within_a_split_is_not_spread() -> None:
    assert spread(entries_of({"train": [grouped("case-1"), grouped("case-1")]})) == []


def test_texts_without_a_group_are_not_spread() -> None:
    assert spread(entries_of({"train": texts("crm", 1), "test": texts("crm", 1)})) == []


def test_a_product_in_two_splits_is_found_for_a_source_split_by_product() -> None:
    entries = entries_of({"train": texts("crm", 3), "test": texts("crm", 1)})
    assert spread(entries, "tickets") == [("product", "tickets", "crm")]


def leaking(products: int) -> list[Entry]:
    """Ten products of five texts, of which so many stand in two splits; another is held out."""
    splits: dict[Split, list[Example]] = {"train": [], "test": texts("held-out", 5)}
    for number in range(9):
        splits["train"] += texts(f"product-{number}", 5)
    for number in range(products):
        splits["test"] += texts(f"product-{number}", 1)
    return entries_of(splits)


def test_a_source_whose_products_stand_in_one_split_each_is_split_by_product() -> None:
    assert sources_by_product(leaking(0)) == ("tickets",)


def test_a_source_is_split_by_product_though_one_product_in_ten_leaks() -> None:
    assert sources_by_product(leaking(1)) == ("tickets",)


def test_a_source_whose_products_often_stand_in_several_splits_is_not_split_by_product() -> None:
    assert sources_by_product(leaking(2)) == ()


def test_products_of_few_texts_do_not_tell_how_a_source_is_split() -> None:
    splits: dict[Split, list[Example]] = {"train": texts("crm", 4), "test": texts("erp", 4)}
    assert sources_by_product(entries_of(splits)) == ()


def test_a_source_that_is_only_trained_on_is_not_split() -> None:
    assert sources_by_product(entries_of({"train": [*texts("crm", 5), *texts("erp", 5)]})) == ()
