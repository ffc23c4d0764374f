"""A Hub on loopback: a real HTTP server with repositories in memory, for the real huggingface_hub client to talk to."""

from loopback_hub.faults import Fault
from loopback_hub.server import LoopbackHub
from loopback_hub.store import Refused, Repository, Store, blob_id

__all__ = ["Fault", "LoopbackHub", "Refused", "Repository", "Store", "blob_id"]
