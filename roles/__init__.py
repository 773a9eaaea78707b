"""The wiring of each role: what `faust_app.py` puts into one process. Nobody else imports it."""
