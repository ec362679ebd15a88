"""Each argument that the tables of docs/faithfulness.md name has a test here."""

import ast
import re

import pytest

INPUT, MODEL, TRAINING = (f'tests/faithfulness/test_{topic}' for topic in ('input', 'model', 'training'))
TESTS = {
    'AVPreprocessor.scale': f'{INPUT}_by_hand.py::test_stored_values_are_divided_by_the_scale',
    'AVPreprocessor.norm': f'{INPUT}_by_hand.py::test_l2_norm_over_time_or_over_features',
    'GFSLDataset.window': f'{INPUT}_quirks.py::test_lengths_of_the_papers_data_sets',
    'test_dataloader.dataset.window': f'{INPUT}_quirks.py::test_lengths_of_the_papers_data_sets',
    'val_dataloader.dataset.window': f'{INPUT}_quirks.py::test_windows_reach_the_batches_of_each_phase',
    'Window.last_start': f'{INPUT}_quirks.py::test_the_last_start_of_a_random_crop',
    'Window.audio_length': f'{INPUT}_quirks.py::test_audio_length_of_activitynet',
    'ClassEmbedding.order': f'{INPUT}_by_hand.py::test_each_class_has_its_own_vector_unless_the_set_order_is_repeated',
    'MLP.padding_in_stats': f'{MODEL}_by_hand.py::test_statistics_over_all_rows_or_over_real_ones',
    'TimeModalityEmbedding.fourier_scale': f'{MODEL}_quirks.py::test_standard_deviation_of_the_fourier_frequencies',
    'MaskedTransformer.shared_norm': f'{MODEL}_by_hand.py::test_one_layer_norm_or_one_for_each_sublayer',
    'DDPM.variance': f'{MODEL}_by_hand.py::test_variance_of_each_reverse_step',
    'DDPM.noise_at_last_step': f'{MODEL}_by_hand.py::test_without_noise_at_the_last_step_its_mean_is_taken',
    'LinearSchedule.num_steps': f'{MODEL}_by_hand.py::test_the_schedule_ends_far_from_pure_noise_or_at_it',
    'LinearSchedule.zero_terminal_snr': f'{MODEL}_by_hand.py::test_the_schedule_ends_far_from_pure_noise_or_at_it',
    'MLPNoisePredictor.num_layers': f'{MODEL}_by_hand.py::test_hidden_layers_of_the_noise_predictor_are_equally_wide',
    'AVClassifier.synthetic_grad': f'{TRAINING}_by_hand.py::test_gradient_through_the_whole_sampling_chain_or_none',
    'AVClassifier.detach_features': f'{TRAINING}_by_hand.py::'
    'test_gradient_of_the_diffusion_loss_in_the_features_or_none',
    'curriculum.full.frozen_mode': f'{TRAINING}_by_hand.py::'
    'test_frozen_parts_go_on_with_their_statistics_or_stand_still',
    'curriculum.full.carry_optimizer': f'{TRAINING}_quirks.py::test_moments_of_adam_in_the_full_substage',
    'optim_wrapper.optimizer': f'{TRAINING}_by_hand.py::test_weight_decay_in_the_gradient_or_beside_it',
    'ExtraForwardHook': f'{TRAINING}_by_hand.py::test_a_second_forward_lets_the_batch_enter_the_statistics_twice',
    'randomness.seed': f'{TRAINING}_by_hand.py::test_all_draws_have_the_seed_of_the_run',
    'curriculum.zero_gamma': f'{TRAINING}_quirks.py::test_a_validated_gamma_of_zero_is_searched_on_the_test_set',
    'curriculum.lr_drops': f'{TRAINING}_quirks.py::test_learning_rate_drops_of_stage_two',
    'curriculum.base.monitor': f'{TRAINING}_quirks.py::test_metric_that_chooses_the_base_epoch',
    'import_released_features.text_order': 'tests/avdiff_release/test_features.py::'
    'test_word_vectors_by_name_or_by_the_place_of_the_spelled_out_name',
    'curriculum.gamma_epoch': f'{TRAINING}_quirks.py::test_gamma_of_the_last_or_of_the_best_epoch',
    'GFSLMetric.gamma_grid': f'{TRAINING}_by_hand.py::test_gamma_is_searched_in_steps_of_a_tenth_or_on_another_grid',
}


@pytest.fixture(scope='module')
def argument_cells(repo_dir):
    """The last cell of each row of the tables that end in the column ``argument``."""
    cells, inside = [], False
    for line in (repo_dir / 'docs/faithfulness.md').read_text(encoding='utf-8').splitlines():
        last = line.rstrip(' |').rpartition('|')[2].strip()
        if not line.startswith('|'):
            inside = False
        elif inside and set(last) - set('-: '):
            cells.append(last)
        inside = inside or last == 'argument'
    return cells


def test_every_argument_of_the_tables_has_a_test(argument_cells):
    named = {re.search('`([^`]+)`', cell)[1] for cell in argument_cells if not cell.startswith('none')}
    assert named == set(TESTS) and len(argument_cells) > 40


@pytest.mark.parametrize('test_id', sorted(set(TESTS.values())))
def test_it_exists(repo_dir, test_id):
    path, name = test_id.split('::')
    functions = ast.parse((repo_dir / path).read_text(encoding='utf-8')).body
    assert name in [node.name for node in functions if isinstance(node, ast.FunctionDef)]
