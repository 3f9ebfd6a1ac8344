"""What is computed: layers and their weights, the cells, activations, poolings. Nothing here knows files or engines."""
