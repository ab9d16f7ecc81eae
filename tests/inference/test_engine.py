"""Engine: what is asked of one text costs one pass."""

import numpy as np

from nlp_service.inference.engine import Engine

TEXTS = ["又闪退了，三次没保存", "能不能支持深色模式", "发票在哪里开", "很好用，五星 👍"]


def test_a_text_asked_for_both_tasks_is_encoded_once(engine: Engine) -> None:
    before = engine.feedback.encoder.passes
    engine.analyse(TEXTS)
    assert engine.feedback.encoder.passes - before == len(TEXTS)


def test_probabilities_sum_to_one(engine: Engine) -> None:
    for sentiment, kind in engine.analyse(TEXTS):
        assert abs(sum(sentiment.probabilities.values()) - 1) < 1e-5
        assert abs(sum(kind.probabilities.values()) - 1) < 1e-5


def test_score_is_positive_minus_negative(engine: Engine) -> None:
    sentiment, _ = engine.analyse(["界面清爽，用着舒服"])[0]
    expected = sentiment.probabilities["positive"] - sentiment.probabilities["negative"]
    assert abs(sentiment.score - expected) < 1e-6


def test_an_answer_does_not_depend_on_its_neighbours(engine: Engine) -> None:
    alone = [engine.analyse([text])[0][1].probabilities for text in TEXTS]
    together = [kind.probabilities for _, kind in engine.analyse([*TEXTS, "长" * 600])]
    for left, right in zip(alone, together, strict=False):
        np.testing.assert_allclose(list(left.values()), list(right.values()), atol=0.02)


def test_obvious_texts_get_their_label(engine: Engine) -> None:
    answers = engine.analyse(["点击提交后一直报错 500，数据全丢了", "希望增加批量导出功能", "请问怎么修改绑定的手机号"])
    assert [kind.label for _, kind in answers] == ["fault", "feature_request", "question"]


def test_the_end_of_a_long_text_counts(engine: Engine) -> None:
    filler = "我们公司用这套系统三年了，部门里大家每天都在上面登记工作。" * 25
    (without,) = engine.encode_feedback([filler]).result()
    (with_end,) = engine.encode_feedback([filler + "昨天开始一点保存就闪退，数据全没了！"]).result()
    assert not np.allclose(without, with_end, atol=1e-3)
