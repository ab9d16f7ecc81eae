"""What a key may be good for."""

from typing import Literal, get_args

Scope = Literal["classify", "search", "knowledge:write", "knowledge:review", "models", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
MEANINGS: dict[Scope, str] = {
    "classify": "分析文本,提交工单与评价 · analyse texts, hand in tickets and reviews",
    "search": "检索与读取知识库、工单,投票 · search and read articles and tickets, vote",
    "knowledge:write": "起草、修改、提交文章 · draft, change and submit articles",
    "knowledge:review": "审核与发布文章 · review and publish articles",
    "models": "查看与重载模型,读取指标 · see and reload models, read metrics",
    "admin": "以上全部,以及删除客户数据 · all of these, and erase what customers wrote",
}
