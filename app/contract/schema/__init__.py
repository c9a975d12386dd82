"""The schemas of a contract: references, discriminators, compiled validators, violations."""
