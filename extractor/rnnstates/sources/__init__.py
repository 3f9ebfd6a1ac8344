"""Where sequences come from: one module a container, all behind the ``Source`` protocol."""
