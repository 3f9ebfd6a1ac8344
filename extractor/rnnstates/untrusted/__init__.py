"""Checks files and objects of unknown origin against bounds before a library reads them."""
