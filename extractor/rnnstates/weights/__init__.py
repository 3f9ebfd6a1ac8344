"""From weights files to ``Network``: containers (readers), conventions (names and gate order), one canonical form."""
