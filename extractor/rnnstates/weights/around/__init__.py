"""What a file holds around the layers that run: modules, embeddings, trained starts; one rule for every format."""
