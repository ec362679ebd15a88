"""Register everything that configs may name."""


def register_all_modules(init_default_scope: bool = True) -> None:
    """Import all parts of avzoo; mmengine's hub calls this before it builds a model.

    Args:
        init_default_scope: Also make ``avzoo`` the scope in which mmengine looks names up.
    """
    import importlib

    from mmengine.registry import DefaultScope

    for name in ('datasets', 'engine', 'evaluation', 'models'):
        importlib.import_module(f'avzoo.{name}')
    if init_default_scope and DefaultScope.get_current_instance() is None:
        DefaultScope.get_instance('avzoo', scope_name='avzoo')
