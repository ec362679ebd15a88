"""Pooling into time bins."""

import torch

from avzoo.models.layers.time_bins import bin_means


def test_one_bin_is_the_mean_over_real_steps():
    x = torch.randn(3, 7, 4)
    lengths = torch.tensor([7, 3, 1])
    expected = torch.stack([row[:length].mean(0) for row, length in zip(x, lengths, strict=True)])
    torch.testing.assert_close(bin_means(x, lengths, 1)[:, 0], expected)


def test_bins_keep_order_and_split_a_step_between_two():
    x = torch.tensor([[[1.0], [2.0], [4.0], [99.0]]])
    torch.testing.assert_close(
        bin_means(x, torch.tensor([3]), 2), torch.tensor([[[(1 + 0.5 * 2) / 1.5], [(0.5 * 2 + 4) / 1.5]]])
    )
    torch.testing.assert_close(bin_means(x, torch.tensor([3]), 3), x[:, :3])


def test_a_sequence_may_be_shorter_than_the_number_of_bins():
    x = torch.tensor([[[5.0], [7.0]]])
    torch.testing.assert_close(bin_means(x, torch.tensor([1]), 4), torch.full((1, 4, 1), 5.0))
    assert not bin_means(x, torch.tensor([0]), 2).any()
