from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from training.data.example import LABELS, Example, Task
from training.report.baselines import FROZEN, KEYWORDS, SNOWNLP, TF_IDF, baselines, snownlp_answer
from training.report.keywords import keyword_answers

FAULTS = ["打开就闪退", "付款报错", "登录失败了", "App crashed again", "黑屏了，用不了"]
REQUESTS = ["希望增加深色模式", "建议加个搜索", "Please add a filter", "希望支持导出", "能不能加个提醒"]


def examples(task: Task, *groups: tuple[str, Sequence[str]]) -> list[Example]:
    rows = [(label, text) for label, texts in groups for text in texts]
    return [Example(str(n), text, "tickets", {task: label}) for n, (label, text) in enumerate(rows)]


TICKETS = examples("classify", ("fault", FAULTS), ("feature_request", REQUESTS))


def lengths(texts: Sequence[str]) -> NDArray[np.float32]:
    return np.array([[len(text), text.count("加"), text.count("增")] for text in texts], np.float32)


def answers(probabilities: NDArray[np.float32], labels: Sequence[str]) -> list[str]:
    return [labels[column] for column in probabilities.argmax(axis=1)]


def test_tickets_have_cues_tf_idf_and_the_frozen_encoder() -> None:
    assert set(baselines("classify", TICKETS, TICKETS, lengths)) == {KEYWORDS, TF_IDF, FROZEN}


def test_sentiment_has_snownlp_too() -> None:
    train = examples("sentiment", ("negative", ["太差了", "难用"]), ("positive", ["好用", "喜欢"]))
    assert set(baselines("sentiment", train, train, None)) == {KEYWORDS, SNOWNLP, TF_IDF}


def test_severity_is_only_learned() -> None:
    train = examples("severity", ("blocking", FAULTS), ("minor", REQUESTS))
    assert set(baselines("severity", train, train, None)) == {TF_IDF}


def test_aspects_have_no_baseline() -> None:
    assert baselines("aspects", TICKETS, TICKETS, lengths) == {}


def test_without_training_texts_there_is_nothing_to_compare_with() -> None:
    assert baselines("severity", TICKETS, TICKETS, lengths) == {}


@pytest.mark.parametrize("method", [KEYWORDS, TF_IDF, FROZEN])
def test_probabilities_have_a_column_for_each_of_the_tasks_labels_and_sum_to_one(method: str) -> None:
    found = baselines("classify", TICKETS, TICKETS[:3], lengths)[method]
    assert found.shape == (3, len(LABELS["classify"]))
    assert found.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)


def test_tf_idf_learns_the_words_of_a_class() -> None:
    test = examples("classify", ("fault", ["又闪退"]), ("feature_request", ["希望加导出"]))
    found = baselines("classify", TICKETS, test, None)[TF_IDF]
    assert answers(found, LABELS["classify"]) == ["fault", "feature_request"]


def test_the_frozen_encoder_is_read_by_a_linear_layer() -> None:
    train = examples("classify", ("fault", ["短", "也短"] * 5), ("feature_request", ["长" * 60, "长" * 70] * 5))
    test = examples("classify", ("fault", ["短的"]), ("feature_request", ["长" * 80]))
    found = baselines("classify", train, test, lengths)[FROZEN]
    assert answers(found, LABELS["classify"]) == ["fault", "feature_request"]


def test_labels_of_ones_own_are_sorted_and_learned() -> None:
    train = examples("classify", ("故障", FAULTS), ("需求", REQUESTS))
    found = baselines("classify", train, train, None)
    assert set(found) == {TF_IDF}
    assert answers(found[TF_IDF], ("故障", "需求")) == ["故障"] * 5 + ["需求"] * 5


def test_a_label_set_orders_the_columns() -> None:
    train = examples("classify", ("故障", FAULTS), ("需求", REQUESTS))
    found = baselines("classify", train, train, None, ("需求", "其他", "故障"))[TF_IDF]
    assert answers(found, ("需求", "其他", "故障")) == ["故障"] * 5 + ["需求"] * 5
    assert found[:, 1].max() == 0


def test_one_class_in_training_is_the_answer_to_everything() -> None:
    train = examples("classify", ("fault", FAULTS))
    assert answers(baselines("classify", train, TICKETS, None)[TF_IDF], LABELS["classify"]) == ["fault"] * 10


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("打开就闪退，报错", "fault"),
        ("The app crashed with an error", "fault"),
        ("希望增加批量导出", "feature_request"),
        ("Please add an option to export", "feature_request"),
        ("请问在哪里修改密码", "question"),
        ("How do I reset it", "question"),
        ("客服态度很好，谢谢", "other"),
    ],
)
def test_cues_tell_the_kind_of_a_ticket(text: str, label: str) -> None:
    assert keyword_answers("classify", [text]) == [label]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("垃圾软件，太失望了", "negative"),
        ("非常好用，推荐", "positive"),
        ("今天装了新版本", "neutral"),
        ("好用但是贵", "neutral"),
        ("Terrible, I want a refund", "negative"),
        ("Great app, love it", "positive"),
    ],
)
def test_cues_tell_the_sentiment(text: str, label: str) -> None:
    assert keyword_answers("sentiment", [text]) == [label]


@pytest.mark.parametrize(
    ("text", "label"), [("质量很好，非常喜欢", "positive"), ("太差了，垃圾", "negative"), ("123", "neutral")]
)
def test_snownlp_scores_become_labels(text: str, label: str) -> None:
    assert snownlp_answer(text) == label
