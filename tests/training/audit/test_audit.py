import pytest

from training.audit import AuditReport, audit
from training.data.example import Example

from .texts import audited, encode, reviews, sentiment

ORIGINAL, SIMILAR = "导出报表一直转圈,等了半个小时还是不行", "导出报表一直转圈,等了半个小时也还是不行"


def sound() -> AuditReport:
    return audited(reviews(25), reviews(8, seed=1), reviews(8, seed=2))


def errors(report: AuditReport) -> list[str]:
    return [message for severity, message in report.problems if severity == "error"]


def warnings(report: AuditReport) -> str:
    return "\n".join(message for severity, message in report.problems if severity == "warning")


def test_sound_texts_have_no_problems() -> None:
    assert sound().problems == []


def test_the_same_texts_and_seed_give_the_same_report() -> None:
    assert sound() == sound()


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (Example("a", " ", "t"), Example("b", "好", "t"), "blank: 1 (a)"),
        (Example("a", "坏", "t"), Example("a", "好", "t"), "duplicate id: 2 (a)"),
        (Example("a", "找13812345678", "t"), Example("b", "好", "t"), "personal data: 1 (a)"),
        (Example("a", ORIGINAL, "t"), Example("b", ORIGINAL, "t"), "equal texts in different splits: 1 (a, b)"),
        (Example("a", ORIGINAL, "t"), Example("b", SIMILAR, "t"), "similar texts in different splits: 1 (a, b)"),
        (Example("a", "坏", "t", group="g"), Example("b", "好", "t", group="g"), "groups in several splits: 1 (t/g)"),
    ],
)
def test_it_is_an_error_when_there_is(train: Example, test: Example, message: str) -> None:
    (found,) = errors(audited([train], test=[test]))
    assert found.endswith(message)


def test_equal_texts_with_different_labels_are_an_error() -> None:
    (found,) = errors(audited([sentiment("a", "还行", "neutral"), sentiment("b", "还行", "positive")]))
    assert found.endswith("equal texts labelled differently: 1 (a, b)")


def test_similar_texts_with_different_labels_are_a_warning() -> None:
    report = audited([sentiment("a", ORIGINAL, "neutral"), sentiment("b", SIMILAR, "negative")])
    assert (errors(report), "similar texts labelled differently: 1 (a, b)" in warnings(report)) == ([], True)


def test_equal_texts_within_a_split_are_a_warning() -> None:
    report = audited([Example("a", "还行", "t"), Example("b", "还行", "t")])
    assert (errors(report), "equal texts within a split: 1" in warnings(report)) == ([], True)


def product(name: str, number: int) -> list[Example]:
    return [Example(f"{name}-{place}", f"{name} {'甲乙丙丁戊'[place]}", "t", slices={"product": name})
            for place in range(number)]  # fmt: skip


def test_a_product_in_two_splits_is_an_error_where_products_are_held_out() -> None:
    report = audit({"train": product("crm", 2), "test": [*product("crm", 5)[4:]]}, encode, by_product={"t"})
    assert errors(report) == ["1 个产品跨集合 · products in several splits: 1 (t/crm)"]


def test_a_product_in_two_splits_is_none_where_they_are_not_held_out() -> None:
    assert errors(audit({"train": product("crm", 2), "test": [*product("crm", 5)[4:]]}, encode, by_product=())) == []


def test_an_error_is_told_by_the_report() -> None:
    assert audited([Example("a", "", "t")]).has_errors


def test_warnings_are_no_errors() -> None:
    assert not audited([Example("a", "好", "t")]).has_errors


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (reviews(10), [], "test has no texts"),
        ([], reviews(10), "train has no texts"),
        (reviews(10), [], "classes under 20 texts in train: negative, neutral, positive"),
        (reviews(60)[:125], [], "imbalanced classes, smallest over largest 0.083"),
        (reviews(25), reviews(5)[:5], "classes missing from test: neutral, positive"),
        (reviews(25)[:25], [], "only one class: negative"),
        (reviews(5), [], "labels not checked: 文本不足 20 条 · fewer than 20 texts: 15"),
        ([*reviews(10), *(Example(str(n), f"您好请问{n}", "t") for n in range(3))], [], "begin alike: 9.1%"),
    ],
)
def test_it_is_a_warning_when(train: list[Example], test: list[Example], message: str) -> None:
    assert message in warnings(audited(train, test=test))
