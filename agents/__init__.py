"""The stages, one file each: intake, embed, store, track. Thin shells over pure code."""
