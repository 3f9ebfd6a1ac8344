"""Everything in a file around the layers that run (modules, embeddings, trained starts); one rule for all formats."""
