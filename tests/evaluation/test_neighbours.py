"""Scores by nearest neighbours match their definitions on cases that can be counted by hand."""

import pytest
import torch

from ganzoo.evaluation.neighbours import density_coverage, nearest, precision_recall

LINE = torch.tensor([[0.0], [1.0], [2.0], [3.0]])


@pytest.mark.parametrize(("k", "radius"), [(1, 1.0), (2, 2.0)])
def test_a_ball_reaches_to_the_kth_other_point(k, radius):
    about_the_ends = torch.tensor([[-radius - 0.01], [-radius], [3 + radius], [3.01 + radius]])
    assert precision_recall(LINE, about_the_ends, k)[0] == 0.5
    # radii are 1, 1, 1, 1 or 2, 1, 1, 2: in either case the balls of 2 and 3 alone hold 2.5
    assert density_coverage(LINE, torch.tensor([[2.5]]), k)[0] == 2 / k


def test_precision_and_recall_on_a_line():
    fake = torch.tensor([[0.5], [3.5], [9.0], [9.5]])
    # balls of radius 1 about 0, 1, 2, 3 hold 0.5 and 3.5; fake balls (radii 3, 3, 0.5, 0.5) hold 0..3 all
    assert precision_recall(LINE, fake, 1) == (0.5, 1.0)


def test_density_and_coverage_on_a_line():
    fake = torch.tensor([[0.5], [3.5]])
    # 0.5 lies in the balls of 0 and 1, 3.5 in that of 3: 3 / (1 * 2); covered are 0, 1 and 3
    assert density_coverage(LINE, fake, 1) == (1.5, 0.75)


def test_equal_distributions_are_covered_as_the_paper_expects():
    generator = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 3000, 16, generator=generator)
    density, coverage = density_coverage(real, fake, 5)
    assert coverage == pytest.approx(1 - 0.5**5, abs=0.01)
    assert density == pytest.approx(1, abs=0.05)


def test_a_collapsed_set_is_precise_and_covers_nothing():
    generator = torch.Generator().manual_seed(0)
    real = torch.randn(500, 16, generator=generator)
    fake = real[:1] + 0.01 * torch.randn(500, 16, generator=generator)
    precision, recall = precision_recall(real, fake)
    assert precision == 1
    assert recall < 0.01
    assert density_coverage(real, fake)[1] < 0.05


def test_chunks_change_nothing(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 101, 8, generator=generator)
    whole = precision_recall(real, fake), density_coverage(real, fake)
    monkeypatch.setattr("ganzoo.evaluation.neighbours.CHUNK", 13)
    assert (precision_recall(real, fake), density_coverage(real, fake)) == whole


def test_the_nearest_other_point_is_found():
    distances, rows = nearest(LINE, LINE, itself=True)
    assert distances.tolist() == [1, 1, 1, 1]
    assert rows.tolist() == [1, 0, 1, 2]
    assert nearest(torch.tensor([[2.2]]), LINE)[1].tolist() == [2]
