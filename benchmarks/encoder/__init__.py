"""Parts of the encoder benchmark."""
