"""The dashboard, the alert rules and the runbook speak of what the service exposes, and of each other."""

import re
import shutil
import subprocess
from itertools import combinations

import promql_parser
import pytest
from fastapi.testclient import TestClient
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from nlp_service.observability import metrics
from tests.conftest import PROJECT
from tests.observability.promql import ALERTS, alerts, dashboard, expressions, named

RUNBOOKS = ("docs/runbook.md", "docs/runbook.zh-CN.md")
OF_PROMETHEUS = {"up": {"job"}}
ADDED = {"instance", "job", "le"}
"""Labels that Prometheus adds, and that of a histogram's bounds."""
SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"]}


@pytest.fixture(scope="module")
def exposed(service: TestClient) -> dict[str, str]:
    """The names of all time series of the service, each with that of its metric."""
    families = text_string_to_metric_families(service.get("/metrics").text)
    return {f"{family.name}{suffix}": family.name for family in families for suffix in SUFFIXES.get(family.type, [])}


@pytest.fixture(scope="module")
def labels() -> dict[str, set[str]]:
    """The labels of each metric."""
    collectors = [one for one in vars(metrics).values() if isinstance(one, MetricWrapperBase)]
    return {collector._name: set(collector._labelnames) for collector in collectors}


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_is_promql(expression: str) -> None:
    assert promql_parser.parse(expression) is not None


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_asks_for_what_is_exposed(
    expression: str, exposed: dict[str, str], labels: dict[str, set[str]]
) -> None:
    for name, needed in named(expression):
        assert name in exposed.keys() | OF_PROMETHEUS.keys()
        assert needed <= (OF_PROMETHEUS.get(name) or labels[exposed[name]]) | ADDED


def test_every_metric_is_shown_or_watched(exposed: dict[str, str]) -> None:
    asked = {exposed.get(name, name) for expression in expressions() for name, _ in named(expression)}
    own = {metric for metric in exposed.values() if metric.startswith("nlp_")}
    assert own - asked == set()


def test_panels_do_not_overlap() -> None:
    places = [panel["gridPos"] for panel in dashboard()["panels"]]
    overlapping = [
        (one, other)
        for one, other in combinations(places, 2)
        if one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    ]
    assert overlapping == []


def test_panels_have_numbers_of_their_own() -> None:
    numbers = [panel["id"] for panel in dashboard()["panels"]]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: str(rule["alert"]))
class TestAlert:
    def test_it_says_how_bad_it_is(self, rule: dict[str, dict[str, str]]) -> None:
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}

    def test_it_is_told_in_both_languages(self, rule: dict[str, dict[str, str]]) -> None:
        chinese, _, english = rule["annotations"]["summary"].partition(" · ")
        assert re.search(r"[\u4e00-\u9fff]", chinese)
        assert english

    def test_its_link_leads_to_the_runbook(self, rule: dict[str, dict[str, str]]) -> None:
        assert rule["annotations"]["runbook_url"] == f"{RUNBOOKS[0]}#{str(rule['alert']).lower()}"

    @pytest.mark.parametrize("runbook", RUNBOOKS)
    def test_the_runbook_says_what_to_do(self, rule: dict[str, dict[str, str]], runbook: str) -> None:
        _, _, after = (PROJECT / runbook).read_text("utf-8").partition(f"\n### {rule['alert']}\n")
        section = after.partition("\n#")[0]
        words = ("含义", "查看", "处理") if "zh" in runbook else ("Means", "Look at", "o**")
        assert [word for word in words if word not in section] == []


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_the_runbook_has_an_entry_for_each_alert_alone(runbook: str) -> None:
    headings = re.findall(r"^### (\w+)$", (PROJECT / runbook).read_text("utf-8"), re.MULTILINE)
    assert headings == [rule["alert"] for rule in alerts()]


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_links_of_the_runbook_lead_somewhere(runbook: str) -> None:
    text = (PROJECT / runbook).read_text("utf-8")
    headings = {heading.lower() for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        file, _, heading = target.partition("#")
        assert (PROJECT / "docs" / file).exists()
        assert not heading or heading in headings


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_alerts_fire_when_they_should() -> None:
    done = subprocess.run(
        ["promtool", "test", "rules", str(ALERTS.with_name("alerts_test.yml"))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
