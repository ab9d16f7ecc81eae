"""How a table of vectors in PostgreSQL is searched: by its graph, or by comparing all that a filter allows.

The graph (HNSW) knows no filters: it offers rows, nearly from the nearest on, and those that are not allowed are passed
over. Where one row in five is allowed, the ten nearest of these are among some fifty rows. So a search looks at more
candidates the more rows it has to go through; and once it went through so many that comparing all that are allowed had
been faster, because these lie far from the query, they are compared after all.
"""

from collections.abc import Collection

import numpy as np
from sqlalchemy import Connection

from nlp_service.knowledge.index.pgvector_table import VectorTable, register
from nlp_service.knowledge.index.protocol import Vectors
from nlp_service.knowledge.keys import Mask

CANDIDATES, CANDIDATES_PER_ROOT, CANDIDATES_PER_ROW = 150, 0.5, 5
"""Candidates that a search in the graph looks at: by the square root of the table's rows, but at least so many, and
more for each row that it has to go through."""
CANDIDATES_LIMIT = 1000
"""pgvector looks at no more at once; a search that wants more goes on from where it was."""
KEYS_OF_CANDIDATE = 12
"""So many allowed rows are fetched by key and compared in the time that one candidate takes; docs/decisions/0013."""
PASSED_LIMIT = 10_000
"""Rows that a search in the graph goes through at most: it remembers all that it sees."""
SETTINGS = {
    "hnsw.iterative_scan": "relaxed_order",  # the strict one drops what it meets late
    "hnsw.max_scan_tuples": str(2**31 - 1),  # beyond, it offers what it has seen, however far
    "hnsw.scan_mem_multiplier": "64",  # beyond, too
    "enable_sort": "off",  # so that the graph is used
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
}
Ranking = list[tuple[int, float]]


class TableSearch:
    """One search, in a transaction of its own: what it sets holds until the end of that."""

    def __init__(self, connection: Connection, table: VectorTable, vector: Vectors) -> None:
        register(connection)
        self._connection = connection
        self._table = table
        self._values: dict[str, object] = {"vector": np.ascontiguousarray(vector, dtype=np.float32).reshape(-1)}
        self._graph_rows = 0.0

    def nearest(self, k: int, allowed: Mask | None = None) -> Ranking:
        """The `k` nearest (key, cosine), the best first, among `allowed` keys when given; all that there are, if fewer.

        Exact where that takes no longer than the graph.
        """
        self._graph_rows = self._prepare()
        if allowed is None:
            return self._nearest("true", k, 1.0, PASSED_LIMIT)
        count = int(np.count_nonzero(allowed))
        k = min(k, count)
        if k <= 0:
            return []
        share = min(1.0, count / max(1.0, self._graph_rows))
        few = count <= KEYS_OF_CANDIDATE * self._candidates(k, share)
        condition, self._values["allowed"] = _among(allowed, few=few)
        if few:
            return self._exactly(condition, k)
        return self._nearest(condition, k, share, min(count // KEYS_OF_CANDIDATE, PASSED_LIMIT))

    def cosines(self, keys: Collection[int]) -> dict[int, float]:
        """Of those of the `keys` that are there."""
        self._values["keys"] = list(keys)
        return dict(
            self._ranking(
                f"SELECT key, -(vector <#> %(vector)b) FROM {self._table.name}"  # noqa: S608
                " WHERE key = ANY(%(keys)b::bigint[])"
            )
        )

    def _nearest(self, condition: str, k: int, share: float, passed: int) -> Ranking:
        if self._graph_rows:
            found = self._by_graph(condition, k, share, passed)
            if len(found) == k:
                return found
        return self._exactly(condition, k)

    def _by_graph(self, condition: str, k: int, share: float, passed: int) -> Ranking:
        """Among the `passed` nearest rows, of which it may miss some; so it may find fewer than `k`."""
        candidates = self._candidates(k, share)
        kept = str(min(candidates, CANDIDATES_LIMIT))
        self._connection.exec_driver_sql("SELECT set_config('hnsw.ef_search', %s, true)", (kept,))
        wanted = k if candidates <= CANDIDATES_LIMIT else max(k, int(share * candidates))
        found = self._ranking(
            f"SELECT key, cosine FROM (SELECT key, -(vector <#> %(vector)b) AS cosine FROM {self._table.name}"  # noqa: S608
            f" ORDER BY vector <#> %(vector)b LIMIT {passed}) AS near WHERE {condition} LIMIT {wanted}"
        )
        return sorted(found, key=lambda pair: -pair[1])[:k]

    def _candidates(self, k: int, share: float) -> int:
        """How many to look at where a share of all rows is allowed: it has to go through k / share of them."""
        least = max(CANDIDATES, CANDIDATES_PER_ROOT * self._graph_rows**0.5)
        return int(least + CANDIDATES_PER_ROW * k / share)

    def _exactly(self, condition: str, k: int) -> Ranking:
        """By comparison with every vector that fulfils the condition."""
        return self._ranking(
            f"WITH compared AS MATERIALIZED (SELECT key, -(vector <#> %(vector)b) AS cosine FROM {self._table.name}"  # noqa: S608
            f" WHERE {condition}) SELECT key, cosine FROM compared ORDER BY cosine DESC LIMIT {k}"
        )

    def _prepare(self) -> float:
        """Make the settings; the rows of the table, nearly, or 0 where it has no graph."""
        calls = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in SETTINGS.items())
        found = self._connection.exec_driver_sql(
            f"SELECT (SELECT reltuples FROM pg_class WHERE oid = to_regclass('{self._table.name}')"  # noqa: S608
            f" AND to_regclass('{self._table.graph}') IS NOT NULL), {calls}"
        )
        return max(0.0, float(found.one()[0] or 0))

    def _ranking(self, statement: str) -> Ranking:
        rows = self._connection.exec_driver_sql(statement, self._values)
        return [(int(key), float(cosine)) for key, cosine in rows]


def _among(allowed: Mask, *, few: bool) -> tuple[str, object]:
    """The condition that a key is allowed, and the value of its parameter: keys if they are few, else the mask."""
    if few:
        return "key = ANY(%(allowed)b::bigint[])", np.flatnonzero(allowed).tolist()
    # PostgreSQL counts the bits of a byte from the lowest one.
    condition = f"CASE WHEN key < {len(allowed)} THEN get_bit(%(allowed)b::bytea, key) = 1 ELSE false END"
    return condition, np.packbits(allowed, bitorder="little").tobytes()
