"""Files of customers, kept on disk."""

from wch.adapters.files.folder import FolderMediaStore

__all__ = ["FolderMediaStore"]
