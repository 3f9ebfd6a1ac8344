"""What is computed: layers and their weights, cells, activations, poolings. Knows neither files nor engines."""
