"""What customers filed a ticket as, checked against the labels of the model that serves."""

from collections.abc import Sequence

from fastapi.exceptions import RequestValidationError

from nlp_service.inference.engine import Engine


def check_reports(reports: Sequence[str | None], engine: Engine, field: str) -> None:
    """Raise RequestValidationError when one of the list `field` was reported as what the model does not know."""
    labels = engine.model("classify").labels
    wrong = [
        {
            "type": "value_error",
            "loc": ("body", field, index, "reported_as"),
            "msg": f"应为其中之一 · should be one of: {', '.join(labels)}",
            "input": report,
        }
        for index, report in enumerate(reports)
        if report is not None and report not in labels
    ]
    if wrong:
        raise RequestValidationError(wrong)
