"""The supervisor: keeps `faust worker` running, in the foreground or in the background."""
