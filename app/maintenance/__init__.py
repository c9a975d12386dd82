"""Upkeep of stored documents: do they fit a new contract, and bringing them into its form."""

from app.maintenance.check import Finding, Findings, check_documents
from app.maintenance.collections import sources_of
from app.maintenance.migrate import Migration, commit_migration, migrate

__all__ = [
    "Finding",
    "Findings",
    "Migration",
    "check_documents",
    "commit_migration",
    "migrate",
    "sources_of",
]
