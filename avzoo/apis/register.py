"""Register avzoo with mmengine."""

from avzoo.registry import import_parts
from avzoo.zoo.mmengine_hub import patch_hub


def register_all_modules(init_default_scope: bool = True) -> None:
    """Register all parts of avzoo, and let mmengine find ``avzoo::...`` configs and weights.

    Call it before requesting an avzoo model from ``mmengine.hub``; avzoo's own tools and functions call it themselves.

    Args:
        init_default_scope: Also make ``avzoo`` the default scope for mmengine's lookups.
    """
    patch_hub()
    import_parts(init_default_scope)
