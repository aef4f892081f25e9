"""What `benchmarks.queue` measures, and how."""
