"""The contract engine: from an OpenAPI document to what the server needs to serve it.

`open_contract` runs the steps in this order: load, repair, validate, upgrade, normalise, overlay,
security, patch media types, request rules, compile, bind.
"""

from app.contract.binding.operation_kinds import Kind
from app.contract.binding.operations import Binding
from app.contract.binding.security import Authentication
from app.contract.contract import Contract, open_contract, read_document
from app.contract.errors import ContractError, Problem

__all__ = [
    "Authentication",
    "Binding",
    "Contract",
    "ContractError",
    "Kind",
    "Problem",
    "open_contract",
    "read_document",
]
