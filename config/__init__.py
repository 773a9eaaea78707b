"""Settings, where they come from, and logging: the one package that reads the environment."""
