"""Traditional characters for simplified ones, character by character."""

from functools import cache

KEPT = frozenset("了出面同家台只系向胡才合千制注表周布曲借致困松折板杯秋舍旋克谷刮蔑咸吁岳症征洒尸沈凶霉朴回佣仆凌")
"""Simplified characters that in most words of software feedback are written the same in traditional script."""
PREFERRED = frozenset(
    "裡說麼發別錄為線復簽當幹畫藥產團歷並啟罵綠術採顏衝須淨盡惡偽牆獎殼蕩眾絕繡髒蘇銳閱雞獲彌壇廁匯謠饑纖贓鉤鏽"
)
"""The usual one where several traditional characters share a simplified form."""


def to_traditional(text: str) -> str:
    """`text` with simplified characters replaced; whatever else is in it stays."""
    return text.translate(_table())


@cache
def _table() -> dict[int, str]:
    """SnowNLP's table of traditional to simplified characters, inverted."""
    from snownlp.normal.zh import zh2hans

    table: dict[int, str] = {}
    for traditional, simplified in zh2hans.items():
        if len(traditional) == len(simplified) == 1 and traditional != simplified and simplified not in KEPT:
            known = table.get(ord(simplified))
            if known is None or traditional in PREFERRED:
                table[ord(simplified)] = traditional
    return table
