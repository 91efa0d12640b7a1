"""Read listening histories that other services and players have exported, one module each."""
