"""The contract engine: from an OpenAPI document to what the server needs to serve it.

One module a step, in this order: `load`, `mend`, `validate`, `upgrade`, `normalise`, `overlay`,
`security`, `patches`, `compile`, `bind`. `open_contract` in `contract` runs them all; `acceptance`
spares the documents `validate` that need it not.
"""

from app.contract.binding.operation_kinds import Kind
from app.contract.binding.operations import Binding
from app.contract.binding.security import Authentication
from app.contract.contract import Contract, open_contract
from app.contract.errors import ContractError, Problem

__all__ = [
    "Authentication",
    "Binding",
    "Contract",
    "ContractError",
    "Kind",
    "Problem",
    "open_contract",
]
