"""Programs that start, measure and try out the service; nothing imports them."""
