"""The contract engine: from an OpenAPI document to what the server needs to serve it.

One module a step, in this order: `load`, `validate`, `upgrade`, `normalise`, `overlay`, `patches`,
`compile`, `bind`. `open_contract` in `contract` runs them all.
"""

from app.contract.bind import Binding
from app.contract.contract import Contract, open_contract
from app.contract.errors import ContractError, Problem
from app.contract.shape import Kind

__all__ = ["Binding", "Contract", "ContractError", "Kind", "Problem", "open_contract"]
