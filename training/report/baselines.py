"""What simpler methods answer on the same texts."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_service.text.segmentation import terms
from training.data.example import LABELS, Example, Task
from training.report.keywords import CUES, keyword_answers
from training.report.scored import Probabilities

Encode = Callable[[Sequence[str]], NDArray[Any]]
KEYWORDS = "keyword rules"
TF_IDF = "TF-IDF + logistic regression"
SNOWNLP = "SnowNLP"
FROZEN = "frozen base encoder + logistic regression"
SNOWNLP_NEGATIVE, SNOWNLP_POSITIVE = 0.4, 0.6
TF_IDF_STRENGTH, FROZEN_STRENGTH = 4.0, 0.01
"""Inverse regularisation (scikit-learn's C)."""
FEW_TEXTS = 100
"""With fewer training texts, words that occur once are kept."""


def baselines(
    task: Task,
    train: Sequence[Example],
    test: Sequence[Example],
    encode_base: Encode | None,
    label_set: tuple[str, ...] | None = None,
) -> dict[str, Probabilities]:
    """Probabilities of each method on the test texts, shape (texts, labels).

    Columns follow `label_set`; without one the task's own labels, or the sorted labels of `train` if these are others.
    Keyword rules (classify and sentiment) and SnowNLP (sentiment) know the task's own labels only and are left out for
    others; the frozen encoder is left out without `encode_base`. Empty for aspects, without texts to train on and
    without texts to test.
    """
    known = [example for example in train if example.has(task)]
    if task == "aspects" or not known or not test:
        return {}
    answers = [example.labels[task] for example in known]
    labels = label_set or (LABELS[task] if set(answers) <= set(LABELS[task]) else tuple(sorted(set(answers))))
    texts = [example.text for example in test]
    train_texts = [example.text for example in known]
    results: dict[str, Probabilities] = {}
    if set(labels) == set(LABELS[task]):
        if task in CUES:
            results[KEYWORDS] = _certain(keyword_answers(task, texts), labels)
        if task == "sentiment":
            results[SNOWNLP] = _certain([snownlp_answer(text) for text in texts], labels)
    results[TF_IDF] = _tf_idf(train_texts, answers, texts, labels)
    if encode_base is not None:
        vectors, test_vectors = np.asarray(encode_base(train_texts)), np.asarray(encode_base(texts))
        results[FROZEN] = _frozen(vectors, answers, test_vectors, labels)
    return results


def snownlp_answer(text: str) -> str:
    """SnowNLP's score as a label: negative below 0.4, positive above 0.6."""
    from snownlp import SnowNLP

    score = float(SnowNLP(text).sentiments)
    return "negative" if score < SNOWNLP_NEGATIVE else "positive" if score > SNOWNLP_POSITIVE else "neutral"


def _tf_idf(train: Sequence[str], answers: Sequence[str], texts: Sequence[str], labels: Sequence[str]) -> Probabilities:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectoriser = TfidfVectorizer(analyzer=terms, min_df=2 if len(train) >= FEW_TEXTS else 1, sublinear_tf=True)
    return _fit(vectoriser.fit_transform(train), answers, vectoriser.transform(texts), labels, TF_IDF_STRENGTH)


def _frozen(train: NDArray[Any], answers: Sequence[str], vectors: NDArray[Any], labels: Sequence[str]) -> Probabilities:
    mean, spread = train.mean(axis=0), train.std(axis=0) + 1e-6
    return _fit((train - mean) / spread, answers, (vectors - mean) / spread, labels, FROZEN_STRENGTH)


def _fit(train: Any, answers: Sequence[str], test: Any, labels: Sequence[str], strength: float) -> Probabilities:
    """Balanced logistic regression; classes that do not occur get probability 0, a lone one 1."""
    from sklearn.linear_model import LogisticRegression

    if len(set(answers)) == 1:
        return _certain([answers[0]] * test.shape[0], labels)
    model = LogisticRegression(C=strength, max_iter=3000, class_weight="balanced")
    model.fit(train, answers)
    probabilities = np.zeros((test.shape[0], len(labels)), np.float32)
    probabilities[:, [labels.index(label) for label in model.classes_]] = model.predict_proba(test)
    return probabilities


def _certain(answers: Sequence[str], labels: Sequence[str]) -> Probabilities:
    return np.eye(len(labels), dtype=np.float32)[[labels.index(answer) for answer in answers]]
