"""Which test covers each argument of what is registered without being a module of a model.

`tests/test_covered.py` fails for such a thing, or an argument of one, that is missing here, and for a test that does
not exist. A new argument gets a test, and a line here that names it.
"""

import ast
import importlib
import inspect
import pkgutil
from functools import lru_cache
from pathlib import Path

import avzoo

REPO = Path(__file__).resolve().parents[1]
# Stands for the thing itself where it takes no arguments.
ITSELF = 'itself'
_DATA, _CURRICULUM = 'tests/datasets/test_gfsl_dataset.py::test_', 'tests/engine/test_curriculum.py::test_'
_METRIC, _ADAPT = 'tests/evaluation/test_gfsl_metric.py::test_', 'tests/datasets/test_adaptation_dataset.py::test_'
_OPTIM, _HOOKS = 'tests/engine/test_optim.py::test_', 'tests/engine/test_hooks.py::test_'

COVERED: dict[str, dict[str, dict[str, str]]] = {
    'dataset': {
        'GFSLDataset': dict(
            data_root=f'{_DATA}labels_are_columns_of_the_stages_classes_in_store_order',
            splits=f'{_DATA}labels_are_columns_of_the_stages_classes_in_store_order',
            num_shots='tests/datasets/test_shots.py::test_the_number_of_shots_chooses_the_splits',
            modalities=f'{_DATA}only_the_wanted_modalities_are_gathered',
            window=f'{_DATA}windows_follow_the_seed_and_the_videos_alone',
            embedding='tests/datasets/test_shots.py::test_the_class_vectors_are_those_that_the_embedding_names',
            seed=f'{_DATA}windows_follow_the_seed_and_the_videos_alone',
            device=f'{_DATA}features_held_on_a_device_give_the_same_batches_and_one_copy_serves_all',
        ),
        'AdaptationDataset': dict(
            data_root=f'{_ADAPT}base_videos_come_from_one_store_and_the_support_from_another',
            support=f'{_ADAPT}base_videos_come_from_one_store_and_the_support_from_another',
            support_ids=f'{_ADAPT}base_videos_come_from_one_store_and_the_support_from_another',
            classes=f'{_ADAPT}columns_are_the_named_classes_in_their_order',
            base_classes=f'{_ADAPT}columns_are_the_named_classes_in_their_order',
            base_split=f'{_ADAPT}the_base_split_chooses_the_base_videos',
            splits=f'{_ADAPT}splits_and_shots_change_no_video',
            num_shots=f'{_ADAPT}splits_and_shots_change_no_video',
            modalities=f'{_ADAPT}batches_follow_modalities_window_and_seed',
            window=f'{_ADAPT}batches_follow_modalities_window_and_seed',
            seed=f'{_ADAPT}batches_follow_modalities_window_and_seed',
            embedding=f'{_ADAPT}an_embedding_that_the_stores_lack_is_refused',
            device=f'{_ADAPT}batches_are_the_same_on_a_device',
        ),
    },
    'sampler': {
        'ClassBalancedBatchSampler': dict(
            sampler=f'{_DATA}batches_depend_on_seed_and_epoch',
            batch_size=f'{_DATA}base_and_novel_batches_take_turns',
            num_batches=f'{_DATA}base_and_novel_batches_take_turns',
            subsets=f'{_DATA}base_and_novel_batches_take_turns',
        ),
        'EvaluationBatchSampler': dict(
            sampler=f'{_DATA}evaluation_batches_of_two_processes_are_those_of_one',
            batch_size='tests/datasets/test_shots.py::test_evaluation_batches_are_as_large_as_asked_for',
        ),
    },
    'metric': {
        'GFSLMetric': dict(
            gamma=f'{_METRIC}fixed_gamma_and_grid_are_used', gamma_grid=f'{_METRIC}fixed_gamma_and_grid_are_used'
        ),
    },
    'hook': {
        'EpochSeedHook': {ITSELF: f'{_HOOKS}an_epoch_draws_the_same_numbers_whatever_was_drawn_before'},
        'FitHook': {ITSELF: f'{_HOOKS}a_model_reads_its_constants_from_the_training_set'},
        'ExtraForwardHook': {
            ITSELF: 'tests/faithfulness/test_training_by_hand.py::'
            'test_a_second_forward_lets_the_batch_enter_the_statistics_twice'
        },
        'IntervalRuntimeInfoHook': dict(interval=f'{_HOOKS}losses_are_handed_to_the_log_at_each_interval'),
    },
    'runner': {
        'CurriculumRunner': dict(
            cfg=f'{_CURRICULUM}run_ends_with_a_table_over_the_draws',
            resume=f'{_CURRICULUM}a_stopped_and_resumed_run_equals_an_undisturbed_one_bit_for_bit',
            stage=f'{_CURRICULUM}stages_and_draws_can_be_run_apart',
            draws=f'{_CURRICULUM}stages_and_draws_can_be_run_apart',
        ),
        'PhaseRunner': {ITSELF: f'{_CURRICULUM}a_stopped_and_resumed_run_equals_an_undisturbed_one_bit_for_bit'},
    },
    'optimizer wrapper': {
        'AutocastOptimWrapper': dict(
            optimizer=f'{_OPTIM}the_optimizer_steps_on_what_was_computed_in_bfloat16',
            accumulative_counts=f'{_OPTIM}gradients_are_accumulated_over_as_many_steps_as_asked_for',
            clip_grad=f'{_OPTIM}gradients_are_clipped_if_asked_for',
        ),
    },
}


def own_arguments(cls: type) -> set[str]:
    """Return the arguments that a class states itself; those of a constructor that it inherits are not its own."""
    return set(inspect.signature(cls).parameters) if '__init__' in vars(cls) else set()


def is_a_test(test_id: str) -> bool:
    """Tell whether ``path::name`` names a test function."""
    path, name = test_id.split('::')
    return name in _functions(REPO / path)


@lru_cache
def _functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding='utf-8')) if path.is_file() else ast.Module([], [])
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def register_everything() -> None:
    """Import all of avzoo, so that registries also know what is imported only where it is used."""
    for module in pkgutil.walk_packages(avzoo.__path__, 'avzoo.'):
        importlib.import_module(module.name)
