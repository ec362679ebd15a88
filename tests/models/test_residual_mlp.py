"""The residual network begins as the identity and learns from there."""

import torch

from avzoo.models.encoders import ResidualMLP


def test_it_begins_as_the_identity():
    x = torch.randn(2, 3, 4)
    assert torch.equal(ResidualMLP(4).eval()(x, torch.ones(2, 3, dtype=torch.bool)), x)


def test_it_learns_from_the_first_step_on():
    part, x = ResidualMLP(4, hidden_dim=8, dropout=0.0), torch.randn(20, 4)
    target = x.flip(1)
    optimizer = torch.optim.Adam(part.parameters(), lr=1e-2)
    losses = []
    for _ in range(200):
        loss = (part(x) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert all(p.grad.abs().max() > 0 for p in part.parameters()) and losses[-1] < 0.2 * losses[0]


def test_dropout_lies_behind_the_hidden_layer():
    part = ResidualMLP(4, dropout=0.5)
    torch.nn.init.ones_(part.net[-1].weight)
    x = torch.ones(6, 4)
    assert not torch.equal(part(x), part(x)) and torch.equal(part.eval()(x), part(x))
