"""What is known, as text for people and as JSON for programs. Nothing is fetched."""
