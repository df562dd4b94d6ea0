"""Stores copied to other places and back: folders, object storage, the Hugging Face Hub."""

from validation_ch7.sharing.exporting import Exported, export_store
from validation_ch7.sharing.importing import Imported, import_store
from validation_ch7.sharing.index import StoreIndex, read_index
from validation_ch7.sharing.places import open_place

__all__ = ["Exported", "Imported", "StoreIndex", "export_store", "import_store", "open_place", "read_index"]
