"""The contract: every request, resource, event and problem of the backend, as pydantic models.

Nothing here imports torch, a database or a web framework; everything else may import this.
"""
