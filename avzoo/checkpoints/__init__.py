"""Weight files: reading them without running code, strict loading, compatibility checks, class rows."""
