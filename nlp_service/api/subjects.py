"""``DELETE /v1/subjects/{customer_id}``."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from nlp_service.api.deps import FeedbackDep
from nlp_service.api.knowledge import INVALID
from nlp_service.knowledge.article import ExternalId

router = APIRouter(tags=["feedback"])


class ErasureReceipt(BaseModel):
    """How much was deleted of a customer, and when."""

    model_config = ConfigDict(from_attributes=True)

    customer_id: str
    deleted: Annotated[int, Field(ge=0, description="tickets and reviews; 0 when nothing was stored")]
    at: datetime


@router.delete("/v1/subjects/{customer_id:path}", responses=INVALID)
def erase(customer_id: Annotated[ExternalId, Path()], store: FeedbackDep) -> ErasureReceipt:
    """删除客户的数据 · delete all tickets and reviews of a customer, with what was computed of them.

    Articles that people drafted from them stay: personal data in their texts was masked when they were taken in.
    """
    return ErasureReceipt.model_validate(store.erase(customer_id))
