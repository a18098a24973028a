"""All that we use of nilearn and that nilearn does not promise: the only file that imports it.

A name is private if a part of its path begins with an underscore or its module does not list it
in ``__all__``. Such names may change in any release, so `pyproject.toml` says which releases are
supported and a weekly check runs the maskers with nilearn's development version. The methods of
nilearn's maskers that ours override (``_fit``, ``_cache``, ``_get_target_dtype``) are private,
too; they come with the classes.

Each name is imported when it is first asked for: a cleaning does not wait for nilearn's maskers.
"""

from importlib import import_module
from typing import Any

__all__ = ["MODULES"]

MODULES = {
    "_check_cosine_by_user": "nilearn.signal",
    "_check_filter_parameters": "nilearn.signal",
    "_check_shape_and_affine_compatibility": "nilearn.regions.signal_extraction",
    "_check_signal_parameters": "nilearn.signal",
    "_get_labels_data": "nilearn.regions.signal_extraction",
    "_sanitize_inputs": "nilearn.signal",
    "_sanitize_signals": "nilearn.signal",
    "check_compatibility_mask_and_images": "nilearn._utils.masker_validation",
    "check_params": "nilearn._utils.param_validation",
    "check_polymesh_equal": "nilearn.surface.utils",
    "check_same_fov": "nilearn.image.image",
    "compute_middle_image": "nilearn.maskers._utils",
    "create_cosine_drift": "nilearn.signal",
    "filter_and_extract": "nilearn.maskers.base_masker",
    "filter_and_mask": "nilearn.maskers.nifti_masker",
    "find_stack_level": "nilearn._utils.logger",
    "get_data": "nilearn.surface.surface",
    "img_data_dtype": "nilearn._utils.niimg",
    "load_mask_img": "nilearn.masking",
    "log": "nilearn._utils.logger",
    "mask_logger": "nilearn.maskers.base_masker",
    "safe_get_data": "nilearn._utils.niimg",
    "smooth_array": "nilearn.image.image",
    "standardize_signal": "nilearn.signal",
    "stringify_path": "nilearn._utils.helpers",
}


def __getattr__(name: str) -> Any:
    """Import a name from where nilearn keeps it.

    Raises
    ------
    ImportError
        If this release of nilearn does not have it.
    """
    if name not in MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    try:
        found = getattr(import_module(MODULES[name]), name)
    except (ImportError, AttributeError) as error:
        import nilearn

        msg = (
            f"nilearn {nilearn.__version__} has no {MODULES[name]}.{name}; seedmap works with "
            "nilearn 0.14: pip install 'nilearn>=0.14,<0.15'"
        )
        raise ImportError(msg) from error
    globals()[name] = found
    return found
