"""A Hub on loopback: a real HTTP server with repositories in memory, for the real huggingface_hub client to talk to."""

from tests.hub.loopback_hub.faults import Fault
from tests.hub.loopback_hub.server import LoopbackHub
from tests.hub.loopback_hub.store import Refused, Repository, Store, blob_id

__all__ = ["Fault", "LoopbackHub", "Refused", "Repository", "Store", "blob_id"]
