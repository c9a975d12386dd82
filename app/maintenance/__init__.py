"""Maintenance of stored documents: export, import, check against a contract, migration."""

from app.maintenance.check import Finding, Findings, check_documents
from app.maintenance.collections import sources_of, stored_resources
from app.maintenance.migrate import Migration, commit_migration, migrate

__all__ = [
    "Finding",
    "Findings",
    "Migration",
    "check_documents",
    "commit_migration",
    "migrate",
    "sources_of",
    "stored_resources",
]
