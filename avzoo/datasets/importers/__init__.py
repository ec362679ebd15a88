"""Turn features that lie on disk in some other layout into a feature store."""
