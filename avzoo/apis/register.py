"""Register avzoo with mmengine."""

from avzoo.registry import import_parts
from avzoo.zoo.mmengine_hub import patch_hub


def register_all_modules(init_default_scope: bool = True) -> None:
    """Register all parts of avzoo, and let mmengine find ``avzoo::...`` configs and weights.

    Call it before asking ``mmengine.hub`` for a model of avzoo; the tools and functions of avzoo call it themselves.

    Args:
        init_default_scope: Also make ``avzoo`` the scope in which mmengine looks names up.
    """
    patch_hub()
    import_parts(init_default_scope)
