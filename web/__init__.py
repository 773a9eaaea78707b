"""HTTP: what clients may ask a master, and how it answers. Mounted on the Faust app's server."""
