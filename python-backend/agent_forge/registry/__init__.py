"""Model files: written atomically, addressed by id, proved by digest."""
