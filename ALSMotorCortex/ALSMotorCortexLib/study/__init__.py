"""Files, subjects and studies: reading images, writing results, provenance."""
