"""Which route needs which scope: one table. Where keys are required, an address that is not in it does not exist."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from starlette.routing import compile_path

from nlp_service.access.scopes import Scope


@dataclass(frozen=True)
class Rule:
    """A route, the scope that it needs (none: anybody may), and whether it writes."""

    method: str
    path: str
    """Template, as in the route."""
    scope: Scope | None
    writes: bool = False
    status: int = 200
    """Of the answer when all goes well."""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What addresses of this route look like."""
        return compile_path(self.path)[0]


def _reads(scope: Scope | None, *paths: str, method: str = "GET") -> tuple[Rule, ...]:
    return tuple(Rule(method, path, scope) for path in paths)


def _writes(scope: Scope, method: str, *paths: str, status: int = 200) -> tuple[Rule, ...]:
    return tuple(Rule(method, path, scope, writes=True, status=status) for path in paths)


ARTICLE, TICKET = "/v1/knowledge/{article_id}", "/v1/feedback/{feedback_id}"
RULES: tuple[Rule, ...] = (
    *_reads(None, "/livez", "/readyz", "/openapi.json"),
    *_reads(None, "/docs", "/docs/start.js", "/docs/swagger-ui.js", "/docs/swagger-ui.css"),
    *_reads("models", "/metrics", "/v1/models"),
    *_writes("models", "POST", "/v1/models/{task}/reload"),
    *_reads("classify", "/v1/sentiment", "/v1/classify", "/v1/embeddings", method="POST"),
    *_writes("classify", "POST", "/v1/feedback", f"{TICKET}/resolve", f"{TICKET}/reopen"),
    *_reads("search", "/v1/search", method="POST"),
    *_reads("search", "/v1/knowledge/leaderboard", "/v1/knowledge/needs-review", "/v1/knowledge/frequent"),
    *_reads("search", "/v1/knowledge/export", "/v1/knowledge", ARTICLE, f"{ARTICLE}/versions"),
    *_reads("search", "/v1/feedback", TICKET, f"{TICKET}/duplicates"),
    *_writes("search", "POST", f"{ARTICLE}/vote"),
    *_writes("knowledge:write", "POST", "/v1/knowledge", f"{TICKET}/draft", status=201),
    *_writes("knowledge:write", "POST", "/v1/knowledge/import"),
    *_writes("knowledge:write", "POST", f"{ARTICLE}/submit", f"{ARTICLE}/versions/{{number}}/restore"),
    *_writes("knowledge:write", "PATCH", ARTICLE),
    *_writes("knowledge:write", "DELETE", ARTICLE, status=204),
    *_writes("knowledge:review", "POST", f"{ARTICLE}/approve", f"{ARTICLE}/reject"),
    *_writes("knowledge:review", "POST", f"{ARTICLE}/archive", f"{ARTICLE}/unarchive"),
    *_writes("admin", "DELETE", "/v1/subjects/{customer_id:path}"),
)


@dataclass(frozen=True)
class Matched:
    """The rule of a request, and the values in its address."""

    rule: Rule
    values: Mapping[str, str]


def find_rule(method: str, path: str) -> Matched | None:
    """The rule of a request, if its address has this method."""
    wanted = "GET" if method == "HEAD" else method
    rule = _rules_of(path).get(wanted)
    match = rule.pattern.match(path) if rule is not None else None
    return None if rule is None or match is None else Matched(rule, match.groupdict())


def methods_of(path: str) -> list[str]:
    """The methods that the address has."""
    return sorted(_rules_of(path))


def _rules_of(path: str) -> Mapping[str, Rule]:
    """By method; of several templates that fit the one with the fewest variables, so an export is no article."""
    return _FIXED.get(path) or _variable_rules_of(path)


def _variable_rules_of(path: str) -> dict[str, Rule]:
    fitting = [rule for rule in RULES if rule.pattern.match(path)]
    template = min((rule.path for rule in fitting), key=lambda path: path.count("{"), default="")
    return {rule.method: rule for rule in fitting if rule.path == template}


_FIXED = {rule.path: _variable_rules_of(rule.path) for rule in RULES if "{" not in rule.path}
"""Those of addresses without variables, which are asked most."""
