"""What strangers made, files and objects: checked against bounds before a library reads it."""
