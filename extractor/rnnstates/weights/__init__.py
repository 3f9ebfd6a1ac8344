"""Loads weights as a ``Network``: readers open the file, frameworks interpret its names, conventions order gates."""
