"""Memory of models as estimated and as it is."""
